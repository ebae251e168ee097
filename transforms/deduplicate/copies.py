"""Keeps one event of each message id.

After parsing, before identity. The outcome does not depend on order: of copies (the same content but for `receivedAt`
and `sentAt`) the one with the earliest event time stands; of different contents the one with the smallest canonical
hash stands, and each other one fails once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from schemas import failure_reasons
from schemas.event import MESSAGE_ID, RECEIVED_AT, TIMESTAMP, Event, Failure
from transforms.parse import canonical_content_hash
from transforms.records import Record

RAW = len(Event._fields)
"""Where a record holds the event's bytes; before it are the fields of `Event`."""
SOURCE = RAW + 1
ATTRIBUTES = SOURCE + 1
"""The message's attributes as JSON; a record of a message without any ends with its source."""


def record_of(event: Event, raw: bytes, source: str, attributes: Mapping[str, Any]) -> Record:
    """An event with what a failure tells of it, should it come to that."""
    if not attributes:
        return (*event, raw, source)
    return (*event, raw, source, orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS))


def failure_of(record: Record, reason: str, error: str, stage: str) -> Failure:
    """The failure of a record that could be read."""
    attributes = orjson.loads(record[ATTRIBUTES]) if len(record) > ATTRIBUTES else {}
    return Failure(
        reason,
        (error,),
        stage,
        record[MESSAGE_ID],
        record[RAW],
        attributes,
        record[SOURCE],
        record[RECEIVED_AT],
    )


class Deduplicated(NamedTuple):
    """Records that stand, failures of those that conflict with them, and how many copies were dropped."""

    records: list[Record]
    failures: list[Failure]
    duplicates: int


def deduplicate(records: Iterable[Record]) -> Deduplicated:
    """One record per message id, of all records with these ids (an `Event`, its bytes and its source each)."""
    first: dict[str, Record] = {}
    repeated: dict[str, list[Record]] = {}
    for record in records:
        known = first.setdefault(record[MESSAGE_ID], record)
        if known is not record:
            repeated.setdefault(record[MESSAGE_ID], [known]).append(record)
    failures: list[Failure] = []
    duplicates = 0
    for message_id, same in repeated.items():
        contents = distinct_contents(same)
        first[message_id] = contents[0]
        failures += [conflict(record) for record in contents[1:]]
        duplicates += len(same) - len(contents)
    return Deduplicated(list(first.values()), failures, duplicates)


def distinct_contents(records: Sequence[Record]) -> list[Record]:
    """One record per content, of records with one message id; the one that stands comes first."""
    by_hash: dict[bytes, Record] = {}
    for record in records:
        content = canonical_content_hash(record[RAW])
        known = by_hash.get(content)
        if known is None or _standing(record) < _standing(known):
            by_hash[content] = record
    return [by_hash[content] for content in sorted(by_hash)]


def _standing(record: Record) -> tuple[object, ...]:
    """Of copies the smallest stands; to the source, which a failure tells, so that the order of arrival never shows."""
    return record[TIMESTAMP], *record[RAW:]


def conflict(record: Record) -> Failure:
    """The failure of a record whose content does not stand."""
    error = "/messageId: expected other events with this messageId to have the same content"
    return failure_of(record, failure_reasons.CONFLICTING_DUPLICATE, error, "deduplicate")
