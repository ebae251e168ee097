"""Merged traits to the typed columns of a profile.

Pure, deterministic, and total: any JSON value may come, none raises. A profile without traits costs a dict copy; one
with traits a dict look-up per trait, because columns are found by the traits that exist, not the other way round. The
libraries behind the columns (10 to 130 us a value) are imported when the first value needs them, and asked once per
distinct value.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from transforms.profiles.normalize.columns import COUNTRY, DEVICE_TYPE, PHONE, TRAIT_COLUMNS, ColumnValue
from transforms.profiles.normalize.contact import normalise_phone

_SEPARATORS: Final = str.maketrans("", "", "_- $")
_LONGEST_NAME: Final = 64

# (column number, rank of the spelling in the column, the trait's name): sorts by what counts first.
_Found = tuple[int, int, str, Any]


def _folded(name: str) -> str:
    return name.translate(_SEPARATORS).casefold()


def _table() -> tuple[dict[str, tuple[int, int]], dict[str, dict[str, tuple[int, int]]]]:
    plain: dict[str, tuple[int, int]] = {}
    nested: dict[str, dict[str, tuple[int, int]]] = {}
    for number, column in enumerate(TRAIT_COLUMNS):
        for rank, spelling in enumerate(column.spellings):
            plain[_folded(spelling)] = (number, rank)  # a trait may be named `address.city`, too
            parent, _, child = spelling.partition(".")
            if child:
                nested.setdefault(_folded(parent), {})[_folded(child)] = (number, rank)
    return plain, nested


_PLAIN, _NESTED = _table()
_NO_COLUMNS: Final[dict[str, ColumnValue]] = dict.fromkeys(column.name for column in TRAIT_COLUMNS)
_NORMALISE_DEVICE: Final = TRAIT_COLUMNS[-1].normalise


@lru_cache(16_384)
def _placed(name: str) -> tuple[tuple[int, int] | None, dict[str, tuple[int, int]] | None]:
    folded = _folded(name)
    return _PLAIN.get(folded), _NESTED.get(folded)


def normalize_traits(traits: dict[str, Any], device_type: str | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The typed columns of a profile.

    Args:
        traits: merged traits by name, as they were sent.
        device_type: `context.device.type` of the latest event that names one. Without it the trait of that name counts.

    Returns:
        Every column of docs/profiles.md by name, null where nothing (or only blank text) was sent: text and enums as
        str, `birthday` as `YYYY-MM-DD`, `age` as int, `latitude` and `longitude` as float, `signed_up_at` as
        microseconds since the epoch. And the names of the columns, in the order of the table, that are null because
        none of the values sent for them is usable.
    """
    columns: dict[str, Any] = _NO_COLUMNS.copy()
    found = _find(traits) if traits else []
    if device_type is not None and type(device_type) is not str:
        device_type = None
    if device_type and not device_type.isspace():
        found = [item for item in found if TRAIT_COLUMNS[item[0]].name != DEVICE_TYPE]
        found.append((len(TRAIT_COLUMNS) - 1, 0, "", device_type))
    if not found:
        return columns, ()
    failed: dict[str, None] = {}
    for number, _, _, value in found:
        column = TRAIT_COLUMNS[number]
        name = column.name
        if columns[name] is not None:
            continue
        normal = normalise_phone(value, columns[COUNTRY]) if name == PHONE else column.normalise(value)
        if normal is None:
            failed[name] = None
        else:
            columns[name] = normal
            failed.pop(name, None)
    return columns, tuple(failed)


def _find(traits: dict[str, Any]) -> list[_Found]:
    """The traits that columns read, without nulls and blank text, in the order in which they count.

    The order does not depend on that of the dict.
    """
    found: list[_Found] = []
    for name, value in traits.items():
        if len(name) > _LONGEST_NAME:
            continue
        place, children = _placed(name)
        if place is not None and not _is_blank(value):
            found.append((*place, name, value))
        if children is not None and type(value) is dict:
            for child, part in value.items():
                if len(child) <= _LONGEST_NAME:
                    place = children.get(_folded(child))
                    if place is not None and not _is_blank(part):
                        found.append((*place, f"{name}.{child}", part))
    found.sort(key=lambda item: item[:3])
    return found


def _is_blank(value: Any) -> bool:
    return value is None or (type(value) is str and (not value or value.isspace()))
