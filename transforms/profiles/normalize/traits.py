"""Trait writes to the typed columns of a profile.

Pure, deterministic, and total: any JSON value may come, none raises. A profile without traits costs a dict copy; one
with traits a dict look-up per trait, because columns are found by the traits that exist, not the other way round. The
libraries behind the columns (10 to 130 us a value) are imported when the first value needs them, and asked once per
distinct value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from transforms.profiles.normalize.columns import COUNTRY, DEVICE_TYPE, PHONE, TAGS, TRAIT_COLUMNS, ColumnValue
from transforms.profiles.normalize.contact import normalise_phone

_SEPARATORS: Final = str.maketrans("", "", "_- $")
_LONGEST_NAME: Final = 64

Write = tuple[Any, int, str]
"""A trait's last write: (value, timestamp, message id); the value None: it was unset."""
Place = tuple[int, int]
"""(column number, rank of the spelling in the column)."""


_Said = tuple[int, str, Any]
"""What a write says of a column: rank of the spelling, the trait's name, the value."""
_Latest = tuple[tuple[int, str], list[_Said]]
"""The last event that wrote one of a column's spellings, as (timestamp, message id), and what it says."""


def _folded(name: str) -> str:
    return name.translate(_SEPARATORS).casefold()


def _table() -> tuple[dict[str, Place], dict[str, dict[str, Place]]]:
    plain: dict[str, Place] = {}
    nested: dict[str, dict[str, Place]] = {}
    for number, column in enumerate(TRAIT_COLUMNS):
        for rank, spelling in enumerate(column.spellings):
            plain[_folded(spelling)] = (number, rank)  # a trait may be named `address.city`, too
            parent, _, child = spelling.partition(".")
            if child:
                nested.setdefault(_folded(parent), {})[_folded(child)] = (number, rank)
    return plain, nested


_PLAIN, _NESTED = _table()
_NUMBERS: Final = {column.name: number for number, column in enumerate(TRAIT_COLUMNS)}
_BY_RANK: Final = itemgetter(0, 1)
_NO_COLUMNS: Final[dict[str, ColumnValue]] = {column.name: column.empty for column in TRAIT_COLUMNS}


@lru_cache(16_384)
def _placed(name: str) -> tuple[Place | None, dict[str, Place] | None]:
    folded = _folded(name)
    return _PLAIN.get(folded), _NESTED.get(folded)


@lru_cache(16_384)
def columns_of_trait(name: str) -> frozenset[str]:
    """The columns that a trait of this name may concern."""
    if len(name) > _LONGEST_NAME:
        return frozenset()
    place, children = _placed(name)
    numbers = {number for number, _ in (children or {}).values()} | ({place[0]} if place else set())
    found = {TRAIT_COLUMNS[number].name for number in numbers}
    return frozenset(found | {PHONE} if COUNTRY in found else found)


def normalize_traits(
    writes: Mapping[str, Write], device_type: str | None
) -> tuple[dict[str, ColumnValue], tuple[str, ...]]:
    """The typed columns of a profile.

    Args:
        writes: the last write of each trait, by the name it was sent with; unset ones too.
        device_type: `context.device.type` of the latest event that names one. Without it the trait of that name counts.

    Returns:
        Every column of docs/profiles.md by name, null where nothing (or only blank text) was sent: text and enums as
        str, `birthday` as `YYYY-MM-DD`, `age` as int, `latitude` and `longitude` as float, `signed_up_at` as
        microseconds since the epoch, `tags` as a list. And the names of the columns, in the order of the table, that
        are empty because what was written last cannot be used.
    """
    columns: dict[str, Any] = _NO_COLUMNS.copy()
    columns[TAGS] = []
    failed = []
    for number, latest in sorted(_latest(writes, device_type).items()):
        column = TRAIT_COLUMNS[number]
        value, unusable = _normalised(column.name, latest[1], columns[COUNTRY])
        if value is not None:
            columns[column.name] = value
        elif unusable:
            failed.append(column.name)
    return columns, tuple(failed)


def normalize_column(name: str, writes: Mapping[str, Write], device_type: str | None) -> ColumnValue:
    """One typed column, as `normalize_traits` gives it; None where it is empty."""
    latest = _latest(writes, device_type, (_NUMBERS[COUNTRY], _NUMBERS[name]))
    country = None
    if name == PHONE and _NUMBERS[COUNTRY] in latest:
        country, _ = _normalised(COUNTRY, latest[_NUMBERS[COUNTRY]][1], None)
    found = latest.get(_NUMBERS[name])
    return None if found is None else _normalised(name, found[1], country)[0]


def column_written(name: str, writes: Mapping[str, Write], device: Write | None) -> tuple[int, str] | None:
    """The event, as (timestamp, message id), that decides a column."""
    if name == DEVICE_TYPE and device is not None and not _is_blank(device[0]):
        return device[1:]
    found = _latest(writes, None, (_NUMBERS[name],)).get(_NUMBERS[name])
    return None if found is None else found[0]


def _normalised(name: str, said: list[_Said], country: Any) -> tuple[Any, bool]:
    """The first usable value; and whether there is none although something was sent."""
    column = TRAIT_COLUMNS[_NUMBERS[name]]
    unusable = False
    for _, _, value in said if len(said) == 1 else sorted(said, key=_BY_RANK):
        if not _is_blank(value):
            normal = normalise_phone(value, country) if name == PHONE else column.normalise(value)
            if normal is not None:
                return normal, False
            unusable = True
    return None, unusable


def _latest(
    writes: Mapping[str, Write], device_type: str | None, wanted: Collection[int] | None = None
) -> dict[int, _Latest]:
    """By column, what the last event says that writes any of its spellings; whatever the order of `writes`."""
    found: dict[int, _Latest] = {}
    for name, (value, timestamp, message_id) in writes.items():
        if len(name) > _LONGEST_NAME:
            continue
        place, children = _placed(name)
        if place is not None and (wanted is None or place[0] in wanted):
            _note(found, place, (timestamp, message_id), name, value)
        if children is not None:
            for inner, spelling, part in _inside(children, name, value):
                if wanted is None or inner[0] in wanted:
                    _note(found, inner, (timestamp, message_id), spelling, part)
    if type(device_type) is str and not _is_blank(device_type):
        found[_NUMBERS[DEVICE_TYPE]] = ((0, ""), [(0, "", device_type)])
    return found


def _note(found: dict[int, _Latest], place: Place, when: tuple[int, str], name: str, value: Any) -> None:
    number, rank = place
    latest = found.get(number)
    if latest is None or latest[0] < when:
        found[number] = (when, [(rank, name, value)])
    elif latest[0] == when:
        latest[1].append((rank, name, value))


def _inside(children: Mapping[str, Place], name: str, value: Any) -> Iterator[tuple[Place, str, Any]]:
    """What the fields inside an object say. An object that is unset unsets them all."""
    if value is None:
        for child, place in children.items():
            yield place, f"{name}.{child}", None
    elif type(value) is dict:
        for child, part in value.items():
            found = children.get(_folded(child)) if len(child) <= _LONGEST_NAME else None
            if found is not None:
                yield found, f"{name}.{child}", part


def _is_blank(value: Any) -> bool:
    return value is None or (type(value) is str and (not value or value.isspace()))
