"""Messages of files and tables into blocks of events: those that are plainly good many at once, the others one by one.

Lines come as they stand in a file, and are cut apart by who reads them. A message keeps its place: what may have
copies is read again (deduplicate/columns.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from schemas.event import Event, Failure
from transforms.parse.blocks import NO_ATTRIBUTES, EventCollector, Origin
from transforms.parse.bodies import split_body
from transforms.parse.events import EventParser
from transforms.parse.lines import Lines
from transforms.parse.plain_events import picked

_FLUSH_BYTES: Final = 32 * 1024 * 1024
"""Of one file's events no more than this is held before blocks of them go on."""
_GROUP_BYTES: Final = 256 * 1024
_BITS_IN_A_LINE: Final = 23
"""A place is the number of a line and, in these bits, of a message in it: a line has less than 8 MB (lines.py)."""


class Collected(NamedTuple):
    """What some messages are: how many there were, their events, and those that are none."""

    read: int
    events: EventCollector
    failures: list[Failure]


def collect(
    parser: EventParser,
    groups: Iterable[Sequence[bytes | Failure]],
    source: str,
    buckets: int,
    origin: Origin | None = None,
) -> Iterator[Collected]:
    """Parses messages, all of an origin where there is one; no more of them than _FLUSH_BYTES are held at once."""
    plain, left, number, ended = parser.plain_reader(), iter(groups), 0, False
    while not ended:
        collected = Collected(0, EventCollector(buckets, origin), [])
        read, size_bytes, raws = 0, 0, list[bytes]()
        ended = True
        for group in left:
            count, others = (len(group), list(enumerate(group))) if plain is None else plain.read(group, number)
            if plain is not None and origin is None:
                raws += _without(group, others)
            parsed = _parse_each(parser, _placed(others, number, group), source, collected)
            read += count - len(others) + parsed.read
            number += count
            size_bytes += parsed.size_bytes
            if size_bytes + (plain.held_bytes if plain is not None else 0) >= _FLUSH_BYTES:
                ended = False
                break
        if plain is not None:
            columns = plain.take()
            parser.count_unplanned(columns.unplanned)
            collected.events.add_columns(columns.events, columns.numbers << _BITS_IN_A_LINE, raws, source)
        yield collected._replace(read=read)
    if plain is not None:
        parser.plain_settings().give_back(plain)


class _Parsed(NamedTuple):
    read: int
    size_bytes: int


def _parse_each(
    parser: EventParser, placed: Iterable[tuple[int, bytes | Failure]], source: str, to: Collected
) -> _Parsed:
    """Parses messages one by one, each with its place."""
    parse, add, read, size_bytes = parser.parse, to.events.add, 0, 0
    for place, message in placed:
        read += 1
        parsed = message if type(message) is Failure else parse(message, source)  # type: ignore[arg-type]
        if type(parsed) is Event:
            add(parsed, message, source, NO_ATTRIBUTES, place)  # type: ignore[arg-type]
            size_bytes += len(message)
        else:
            to.failures.append(parsed)  # type: ignore[arg-type]
            size_bytes += len(parsed.raw)  # type: ignore[union-attr]
    return _Parsed(read, size_bytes)


def _placed(
    numbered: Iterable[tuple[int, bytes | Failure]], first: int, group: Sequence[bytes | Failure]
) -> Iterator[tuple[int, bytes | Failure]]:
    """Messages with their places; of a line that is a body, those in it."""
    if not isinstance(group, Lines):
        yield from (((first + number) << _BITS_IN_A_LINE, message) for number, message in numbered)
        return
    for number, line in numbered:
        for inside, message in enumerate(split_body(line)):  # type: ignore[arg-type]
            yield ((first + number) << _BITS_IN_A_LINE) + inside, message


def messages_at(places: np.ndarray, groups: Iterable[Sequence[bytes | Failure]]) -> Iterator[bytes | Failure | None]:
    """The messages at some places, sorted, among those of an origin; None: there is none."""
    numbers, inside = places >> _BITS_IN_A_LINE, (places & ((1 << _BITS_IN_A_LINE) - 1)).tolist()
    start = first = 0
    for group in groups:
        count, found = picked(group, numbers[first:] - start)
        for message in found:
            said = split_body(message) if isinstance(group, Lines) else [message]  # type: ignore[arg-type]
            yield said[inside[first]] if inside[first] < len(said) else None
            first += 1
        if first == len(places):
            return
        start += count


def _without(group: Sequence[bytes | Failure], others: Iterable[tuple[int, bytes | Failure]]) -> list[bytes]:
    excluded = {number for number, _ in others}
    return [message for number, message in enumerate(group) if number not in excluded]  # type: ignore[misc]


def grouped(messages: Iterable[bytes | Failure]) -> Iterator[Sequence[bytes | Failure]]:
    """Messages some at a time."""
    group, size_bytes = list[bytes | Failure](), 0
    for message in messages:
        group.append(message)
        size_bytes += len(message.raw if isinstance(message, Failure) else message)
        if size_bytes >= _GROUP_BYTES:
            yield group
            group, size_bytes = [], 0
    if group:
        yield group
