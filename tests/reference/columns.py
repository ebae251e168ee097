"""Typed columns at an instant: which write of which spelling decides. What one value means is the product's affair.

Of all events that write any spelling of a column, the last decides; of its spellings the first with a usable value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from transforms.profiles.normalize.columns import TRAIT_COLUMNS
from transforms.profiles.normalize.contact import normalise_phone

if TYPE_CHECKING:
    from tests.reference.history import Happening

COLUMNS = {column.name: column for column in TRAIT_COLUMNS}


def plain(name: str) -> str:
    """A name as spellings are compared."""
    return "".join(sign for sign in name if sign not in "_- $").casefold()


def device(event: Happening) -> Any:
    """The device that an event's context names."""
    found = event.context.get("device") if isinstance(event.context, dict) else None
    kind = found.get("type") if isinstance(found, dict) else None
    return kind if isinstance(kind, str) and kind else None


def said(event: Happening, column: str) -> list[Any]:
    """What an identify says of a column, the first spelling first; null where it unsets one."""
    if event.type != "identify" or not isinstance(event.traits, dict):
        return []
    found = []
    for rank, spelling in enumerate(map(plain, COLUMNS[column].spellings)):
        for name, value in event.traits.items():
            if plain(name) == spelling:
                found.append((rank, name, value))
            parent, dot, child = spelling.partition(".")
            if dot and plain(name) == parent:
                found += [(rank, f"{name}.{field}", inner) for field, inner in _inside(value, child)]
    return [value for _, _, value in sorted(found, key=lambda one: one[:2])]


def _inside(value: Any, child: str) -> Iterator[tuple[str, Any]]:
    if value is None:
        yield child, None
    elif isinstance(value, dict):
        yield from ((name, inner) for name, inner in value.items() if plain(name) == child)


def current(events: Sequence[Happening]) -> list[Happening]:
    """Identifies as they still stand: without the fields that a later one has written."""
    return [event for event in events if event.type == "identify" and isinstance(event.traits, dict)]


def column_write(events: Sequence[Happening], column: str) -> Happening | None:
    """The event that decides a column, of events in order."""
    devices = [event for event in events if (device(event) or "").strip()] if column == "device_type" else []
    if devices and device([event for event in events if device(event)][-1]).strip():
        return devices[-1]
    latest: Happening | None = None
    for number, event in enumerate(events):
        overwritten = {name for later in current(events[number + 1 :]) for name in later.traits}
        if said(_without(event, overwritten), column):
            latest = event
    return latest


def column_value(events: Sequence[Happening], column: str) -> Any:
    """The column's value; null where it is empty."""
    write = column_write(events, column)
    if write is None:
        return None
    named = device(write) if column == "device_type" else None
    later = current(events[events.index(write) + 1 :])
    overwritten = {name for event in later for name in event.traits}
    for value in [named] if named and named.strip() else said(_without(write, overwritten), column):
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        if column == "phone":
            normal: Any = normalise_phone(value, column_value(events, "country"))
        else:
            normal = COLUMNS[column].normalise(value)
        if normal is not None:
            return normal if normal != [] else None
    return None


def _without(event: Happening, fields: set[str]) -> Happening:
    from dataclasses import replace

    if not isinstance(event.traits, dict):
        return event
    return replace(event, traits={name: value for name, value in event.traits.items() if name not in fields})


def concerns_column(event: Happening, column: str) -> bool:
    """Whether an event writes what a column reads: a spelling, or the trait that a spelling is inside of.

    A text in the place of an object takes what the object said away. A phone is read as dialled in its country.
    """
    if column == "device_type" and device(event):
        return True
    if column == "phone" and concerns_column(event, "country"):
        return True
    if event.type != "identify" or not isinstance(event.traits, dict):
        return False
    read = {plain(spelling).partition(".")[0] for spelling in COLUMNS[column].spellings}
    read |= {plain(spelling) for spelling in COLUMNS[column].spellings}
    return any(plain(name) in read for name in event.traits)
