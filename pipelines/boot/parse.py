"""Parses messages of a history: those that are plainly good many at once, all others one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipelines.io.journal.journal import message_id_of
from pipelines.io.stream.found_records import failure_of
from schemas.event import MESSAGE_ID, Event, Failure
from schemas.message import Message
from transforms.columns.events import records_of
from transforms.deduplicate.copies import record_of
from transforms.parse import EventParser
from transforms.records import Record


class Parsed(NamedTuple):
    """What messages come to.

    Attributes:
        records: events, with what they were read from.
        failures: of those that are none.
        message_ids: of each message that names one.
    """

    records: list[Record]
    failures: list[Failure]
    message_ids: list[str | None]


def parse_messages(parser: EventParser, messages: Sequence[Message]) -> Parsed:
    """Parses messages, in any order; what the parser counts is counted there."""
    parsed = Parsed([], [], [None] * len(messages))
    places = _parse_plain(parser, messages, parsed)
    for place in places:
        message = messages[place]
        raw, source, attributes, _, _ = message
        found = failure_of(message) or parser.parse(raw, source, attributes)
        if type(found) is Event:
            parsed.records.append(record_of(found, raw, source, attributes))
            parsed.message_ids[place] = found.message_id
        else:
            parsed.failures.append(found)  # type: ignore[arg-type]
            parsed.message_ids[place] = message_id_of(raw)
    return parsed


def _parse_plain(parser: EventParser, messages: Sequence[Message], parsed: Parsed) -> Sequence[int]:
    """Parses those that are plainly good; the places of all others."""
    reader = parser.plain_reader()
    if reader is None:
        return range(len(messages))
    # What a failure tells of a message besides its bytes and its source, columns do not have.
    places = [place for place, (_, _, attributes, failure, _) in enumerate(messages) if not attributes and not failure]
    reader.read([messages[place].raw for place in places], 0)
    events, numbers, unplanned = reader.take()
    parser.plain_settings().give_back(reader)
    parser.count_unplanned(unplanned)
    taken = [places[number] for number in numbers.tolist()]
    raws, sources = ([messages[place][field] for place in taken] for field in (0, 1))
    parsed.records.extend(records_of(events, raws, sources))
    for place, record in zip(taken, parsed.records, strict=True):
        parsed.message_ids[place] = record[MESSAGE_ID]
    rest = set(range(len(messages))).difference(taken)
    return sorted(rest)
