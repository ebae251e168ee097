"""Trait writes to the typed columns of a profile.

Pure, deterministic, and total: any JSON value may come, none raises. A profile without traits costs a dict copy; one
with traits a dict look-up per trait, because columns are found by the traits that exist, not the other way round. The
libraries behind the columns (10 to 130 us a value) are imported when the first value needs them, and asked once per
distinct value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from transforms.profiles.normalize.columns import COUNTRY, DEVICE_TYPE, PHONE, TAGS, TRAIT_COLUMNS, ColumnValue
from transforms.profiles.normalize.contact import normalise_phone

_SEPARATORS: Final = str.maketrans("", "", "_- $")
_LONGEST_NAME: Final = 64

Write = tuple[Any, int, str]
"""A trait's last write: (value, timestamp, message id); the value None: it was unset."""
Place = tuple[int, int]
"""(column number, rank of the spelling in the column)."""


class _Said(NamedTuple):
    """What one write says of a column: sorts by what counts first among those of one event."""

    rank: int
    name: str
    value: Any


class _Latest:
    """The last event that wrote one of a column's spellings, and what it says."""

    __slots__ = ("said", "when")

    def __init__(self, when: tuple[int, str]) -> None:
        self.when = when
        self.said: list[_Said] = []


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
        value, unusable = _normalised(column.name, latest.said, columns[COUNTRY])
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
        country, _ = _normalised(COUNTRY, latest[_NUMBERS[COUNTRY]].said, None)
    found = latest.get(_NUMBERS[name])
    return None if found is None else _normalised(name, found.said, country)[0]


def column_written(name: str, writes: Mapping[str, Write], device: Write | None) -> tuple[int, str] | None:
    """The event, as (timestamp, message id), that decides a column."""
    if name == DEVICE_TYPE and device is not None and not _is_blank(device[0]):
        return device[1:]
    found = _latest(writes, None, (_NUMBERS[name],)).get(_NUMBERS[name])
    return None if found is None else found.when


def _normalised(name: str, said: list[_Said], country: Any) -> tuple[Any, bool]:
    """The first usable value; and whether there is none although something was sent."""
    column = TRAIT_COLUMNS[_NUMBERS[name]]
    unusable = False
    for _, _, value in sorted(said, key=lambda one: one[:2]):
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
    for name, (written, timestamp, message_id) in writes.items():
        when = (timestamp, message_id)
        for (number, rank), spelling, value in _spellings(name, written):
            if wanted is not None and number not in wanted:
                continue
            latest = found.get(number)
            if latest is None or latest.when < when:
                latest = found[number] = _Latest(when)
            if latest.when == when:
                latest.said.append(_Said(rank, spelling, value))
    if type(device_type) is str and not _is_blank(device_type):
        context = found[_NUMBERS[DEVICE_TYPE]] = _Latest((0, ""))
        context.said.append(_Said(0, "", device_type))
    return found


def _spellings(name: str, value: Any) -> Iterator[tuple[Place, str, Any]]:
    """What a trait says of columns: by its own name, and by the fields inside it. An object unset unsets them all."""
    if len(name) > _LONGEST_NAME:
        return
    place, children = _placed(name)
    if place is not None:
        yield place, name, value
    if children is None:
        return
    if value is None:
        for child, place in children.items():
            yield place, f"{name}.{child}", None
    elif type(value) is dict:
        for child, part in value.items():
            place = children.get(_folded(child)) if len(child) <= _LONGEST_NAME else None
            if place is not None:
                yield place, f"{name}.{child}", part


def _is_blank(value: Any) -> bool:
    return value is None or (type(value) is str and (not value or value.isspace()))
