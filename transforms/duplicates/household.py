"""Two people of one household, or of one office, share nearly everything. What tells them apart outweighs the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from transforms.duplicates.comparisons import DIFFERENT, MISSING
from transforms.duplicates.person import Person

_GENERATION_YEARS: Final = range(16, 46)
_ONE_NAME: Final = ("same", "nickname", "initial")


def another_person(levels: Mapping[str, str], left: Person, right: Person) -> str | None:
    """Why the two are two people, whatever else they share; None where nothing says so.

    Couples, siblings and colleagues have other first names, and no birthday that they share. A parent and a child of
    one name are born a generation apart.
    """
    first, birthday = levels["first_name"], levels["birthday"]
    if first == DIFFERENT and birthday == DIFFERENT:
        return "another first name and another birthday"
    if first == DIFFERENT and birthday == MISSING:
        return "another first name, and no birthday that says otherwise"
    if first == DIFFERENT and levels["last_name"] == DIFFERENT and levels["email"] not in ("same", MISSING):
        return "another first name and another last name"
    other_mail = levels["email"] not in ("same", MISSING)
    if levels["last_name"] == DIFFERENT and first in _ONE_NAME and other_mail and birthday != "same":
        return "another last name and another e-mail, and no birthday that says otherwise"
    one_name = first in _ONE_NAME and levels["last_name"] == "same"
    if birthday == DIFFERENT and one_name and _years_apart(left, right) in _GENERATION_YEARS:
        return "one name, born a generation apart"
    return None


def _years_apart(left: Person, right: Person) -> int:
    return abs(int((left.birthday or "0")[:4]) - int((right.birthday or "0")[:4]))
