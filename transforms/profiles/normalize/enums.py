"""The enum columns: a closed list of values each, and what else people write for them (docs/profiles.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from transforms.profiles.normalize.text import CACHED_VALUES, as_text, as_word, cached_text

# column -> value -> its synonyms, in the form of `as_word`. The value itself is always understood.
ENUMS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "gender": {
        "female": ("f", "w", "woman"),
        "male": ("m", "man"),
        "non_binary": ("nb", "enby", "x", "d", "diverse", "genderqueer", "genderfluid", "agender"),
        "other": ("o", "selfdescribed"),
        "undisclosed": ("prefernottosay", "prefernottodisclose", "notspecified", "unspecified", "unknown", "u"),
    },
    "income_bracket": {
        "under_25k": (),
        "25k_50k": (),
        "50k_75k": (),
        "75k_100k": (),
        "100k_150k": (),
        "150k_and_over": (),
    },
    "loyalty_status": {
        "none": ("false", "no", "nonmember", "notamember", "notenrolled", "guest"),
        "member": ("true", "yes", "basic", "base", "standard", "active", "enrolled"),
        "bronze": (),
        "silver": (),
        "gold": (),
        "platinum": (),
        "diamond": (),
        "vip": (),
    },
    "subscription_tier": {
        "none": ("false", "no", "unsubscribed"),
        "free": ("freemium",),
        "trial": ("trialing", "trialling", "freetrial"),
        "basic": ("starter", "lite", "essential", "essentials", "entry"),
        "standard": ("regular", "normal"),
        "plus": (),
        "premium": (),
        "pro": ("professional",),
        "business": ("team", "teams"),
        "enterprise": (),
    },
    "device_type": {
        "desktop": ("pc", "computer", "laptop", "mac", "macos", "windows", "linux"),
        "mobile": ("phone", "smartphone", "mobilephone", "mobileweb", "cellphone"),
        "tablet": ("ipad", "ipados", "androidtablet"),
        "ios": ("iphone", "ipod", "ipodtouch"),
        "android": ("androidphone",),
        "tv": ("smarttv", "settopbox", "tvos", "appletv", "androidtv", "roku"),
        "console": ("gameconsole", "playstation", "xbox"),
        "watch": ("wearable", "smartwatch", "watchos", "wearos"),
        "other": ("unknown",),
    },
}

# "Gold member", "Premium plan": these say nothing more.
_FILLERS: Final = re.compile(r"(?:plan|tier|member|membership|status|level|subscription|subscriber|customer)$")

_BRACKETS: Final = (
    (0, 25_000, "under_25k"),
    (25_000, 50_000, "25k_50k"),
    (50_000, 75_000, "50k_75k"),
    (75_000, 100_000, "75k_100k"),
    (100_000, 150_000, "100k_150k"),
    (150_000, 10**12, "150k_and_over"),
)
_AMOUNT: Final = re.compile(r"(\d[\d,]{0,14}(?:\.\d{1,6})?)(k?)", re.ASCII)
_BELOW: Final = re.compile(r"(?:<|<=|under|below|lessthan|upto)", re.ASCII)
_ABOVE: Final = re.compile(r"(?:>|>=|over|above|morethan)|(?:\+|andover|andabove|ormore|andmore)$", re.ASCII)
_RANGE: Final = re.compile("(?<=[0-9k])(?:to|\N{EN DASH}|\N{EM DASH})(?=[0-9])")
_AMOUNT_WORDS: Final = re.compile(r"usd|eur|gbp|peryear|yearly|/year|annually|[$€£\s_]", re.ASCII)


def normalise_enum(column: str) -> Callable[[Any], str | None]:
    """The normaliser of an enum column that is listed in `ENUMS`."""
    words = _words(ENUMS[column])

    @cached_text
    def value_of(text: str) -> str | None:
        word = as_word(text)
        return words.get(word) or words.get(_FILLERS.sub("", word))

    # Trackers send flags for "is a member"; the words above say what they mean.
    return lambda value: value_of(str(value) if type(value) is bool else value)


def _words(values: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {word: value for value, synonyms in values.items() for word in (as_word(value), *synonyms)}


def normalise_income_bracket(value: Any) -> str | None:
    """The bracket of a yearly amount, or of a range that lies in one bracket (`$50k - $75k`, `25000-49999`, `150k+`).

    Currencies are not converted.
    """
    if type(value) is float:
        value = int(value) if 0 <= value < _BRACKETS[-1][1] else None
    text = as_text(value)
    return _income_bracket(text) if text else None


@lru_cache(CACHED_VALUES)
def _income_bracket(text: str) -> str | None:
    if text in ENUMS["income_bracket"]:
        return text
    plain = _RANGE.sub("-", _AMOUNT_WORDS.sub("", text.casefold()))
    amounts = _AMOUNT.findall(plain)
    rest = _AMOUNT.sub("", plain)
    if not amounts or len(amounts) > 2:
        return None
    thousands = any(unit for _, unit in amounts)  # "50-75k": the k is meant for both
    low, high = (_amount(number, thousands) for number, _ in (amounts[0], amounts[-1]))
    if len(amounts) == 2:
        return _bracket(low, high) if rest == "-" else None
    if not rest:
        return _bracket(low, low)
    if _BELOW.fullmatch(rest):
        return _bracket(0, low)
    return _bracket(low, _BRACKETS[-1][1]) if _ABOVE.fullmatch(rest) else None


def _amount(number: str, thousands: bool) -> float:
    amount = float(number.replace(",", ""))
    return amount * 1000 if thousands and amount < 1000 else amount


def _bracket(low: float, high: float) -> str | None:
    return next((name for start, end, name in _BRACKETS if start <= low < end and low <= high <= end), None)
