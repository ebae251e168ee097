"""The model: how two people's fields can compare, and how often each outcome is found of one person and of two.

A level's `m` is its share among pairs that are one person, its `u` among pairs that are not. The published numbers here
hold under FEWEST_PROFILES profiles, where estimates would be of noise; above, each `u` is counted in the data, for in a
shop where everybody lives in one city that says nothing. `m` and the prior stay: what is rare cannot be estimated from
itself, and one set of numbers gives one answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FEWEST_PROFILES: Final = 1_000

DUPLICATES_PER_PROFILE: Final = 0.05
"""The prior: one profile in twenty has a second one."""

MISSING: Final = "missing"
DIFFERENT: Final = "different"


@dataclass(frozen=True, slots=True)
class Level:
    """One outcome. `condition`: SQL over `<column>_l` and `<column>_r`; "ELSE" for what is left."""

    name: str
    condition: str
    m: float
    u: float
    frequent: str | None = None  # the column whose frequent values say less
    per_profile: bool = False  # u is for one profile: the more there are, the rarer two of them share it by chance

    def share(self, profiles: int) -> float:
        """The published `u` among so many profiles."""
        return self.u / profiles if self.per_profile else self.u


@dataclass(frozen=True, slots=True)
class Comparison:
    """One field: the levels are tried in their order. `missing`: SQL for "nothing to compare"."""

    name: str
    missing: str
    levels: tuple[Level, ...]


def _near(column: str, least: float) -> str:
    return f"jaro_winkler_similarity({column}_l, {column}_r) >= {least}"


def _same(column: str) -> str:
    return f"{column}_l = {column}_r"


def _either(column: str) -> str:
    return f"{column}_l IS NULL OR {column}_r IS NULL"


_SWAPPED: Final = "first_name_l = last_name_r AND last_name_l = first_name_r"
_SWAPPED_ABOUT: Final = (
    "jaro_winkler_similarity(first_name_l, last_name_r) >= 0.9 "
    "AND jaro_winkler_similarity(last_name_l, first_name_r) >= 0.9"
)
_INITIAL: Final = (
    "least(length(first_name_l), length(first_name_r)) = 1 AND left(first_name_l, 1) = left(first_name_r, 1)"
)
# Numbers in an address are there to tell people apart: nobody takes one for another.
_MISSPELT: Final = (
    "damerau_levenshtein(email_l, email_r) <= 2 "
    "AND regexp_replace(email_l, '[^0-9]', '', 'g') = regexp_replace(email_r, '[^0-9]', '', 'g')"
)
_USER: Final = "split_part(email_l, '@', 1) = split_part(email_r, '@', 1)"

COMPARISONS: Final = (
    Comparison(
        "email",
        _either("email"),
        (
            Level("same", _same("email"), 0.70, 0.005, per_profile=True),
            Level("same user, another domain", _USER, 0.08, 0.0002),
            Level("similar", _MISSPELT, 0.04, 0.0002),
            Level(DIFFERENT, "ELSE", 0.18, 0.9996),
        ),
    ),
    Comparison(
        "phone",
        _either("phone"),
        (
            Level("same", _same("phone"), 0.65, 0.2, per_profile=True),
            Level("one digit off", "damerau_levenshtein(phone_l, phone_r) <= 1", 0.04, 0.003),
            Level(DIFFERENT, "ELSE", 0.31, 0.997),
        ),
    ),
    Comparison(
        "first_name",
        _either("first_name"),
        (
            Level("same", _same("first_name"), 0.65, 0.008, "first_name"),
            Level("nickname", "list_has_any(first_names_l, first_names_r)", 0.05, 0.003),
            Level("initial", _INITIAL, 0.02, 0.01),
            Level("swapped with the last name", _SWAPPED, 0.06, 0.00002),
            Level("nearly the same", _near("first_name", 0.92), 0.09, 0.003),
            Level("similar", _near("first_name", 0.8), 0.04, 0.02),
            Level("swapped with the last name, similar", _SWAPPED_ABOUT, 0.02, 0.00002),
            Level(DIFFERENT, "ELSE", 0.07, 0.956),
        ),
    ),
    Comparison(
        "last_name",
        _either("last_name"),
        (
            Level("same", _same("last_name"), 0.70, 0.004, "last_name"),
            Level("nearly the same", _near("last_name", 0.92), 0.10, 0.003),
            Level("similar", _near("last_name", 0.8), 0.06, 0.015),
            Level(DIFFERENT, "ELSE", 0.14, 0.978),
        ),
    ),
    Comparison(
        "birthday",
        _either("birthday"),
        (
            Level("same", _same("birthday"), 0.80, 0.0001),
            Level("one digit off", "damerau_levenshtein(birthday_l, birthday_r) <= 1", 0.11, 0.0015),
            Level("two digits off", "damerau_levenshtein(birthday_l, birthday_r) <= 2", 0.03, 0.02),
            Level(DIFFERENT, "ELSE", 0.06, 0.978),
        ),
    ),
    Comparison(
        "house_number",
        _either("house_number"),
        (Level("same", _same("house_number"), 0.82, 0.01, "house_number"), Level(DIFFERENT, "ELSE", 0.18, 0.99)),
    ),
    Comparison(
        "street",
        _either("street"),
        (
            Level("same", _same("street"), 0.70, 0.002, "street"),
            Level("similar", _near("street", 0.9), 0.17, 0.005),
            Level(DIFFERENT, "ELSE", 0.13, 0.993),
        ),
    ),
    Comparison(
        "postal_code",
        _either("postal_code"),
        (
            Level("same", _same("postal_code"), 0.83, 0.005, "postal_code"),
            Level("one digit off", "damerau_levenshtein(postal_code_l, postal_code_r) <= 1", 0.09, 0.02),
            Level(DIFFERENT, "ELSE", 0.08, 0.975),
        ),
    ),
    Comparison(
        "city",
        _either("city"),
        (
            Level("same", _same("city"), 0.80, 0.03, "city"),
            Level("similar", _near("city", 0.88), 0.10, 0.01),
            Level(DIFFERENT, "ELSE", 0.10, 0.96),
        ),
    ),
)

# Two profiles are compared if they agree on one of these. Keys that MOST_SHARED or more profiles have compare nobody:
# what everybody has in common finds nothing, and costs the square of how many they are.
BLOCKING: Final = (
    "email",
    "phone",
    "split_part(email, '@', 1)",
    "birthday",
    "least(first_name, last_name) || ' ' || greatest(first_name, last_name)",
    "last_name || ' ' || postal_code",
    "last_name || ' ' || city",
    "first_name || ' ' || postal_code",
    "first_name || ' ' || city || ' ' || house_number",
    "street || ' ' || house_number",
    "house_number || ' ' || postal_code",
    "street || ' ' || city",
    "left(street, 6) || ' ' || house_number || ' ' || left(postal_code, 2)",
    "first_name || ' ' || left(street, 6)",
    "last_name || ' ' || left(street, 6)",
    "first_name || ' ' || left(last_name, 2)",
    "last_name || ' ' || left(first_name, 2)",
    "left(first_name, 3) || ' ' || left(last_name, 3) || ' ' || left(postal_code, 2)",
    "left(last_name, 4) || ' ' || left(birthday, 4) || ' ' || left(first_name, 2)",
)
MOST_SHARED: Final = 60
