"""Keeps one event of each message id.

After parsing, before identity. The outcome does not depend on order: of copies (the same content but for `receivedAt`
and `sentAt`) the one with the earliest event time stands; of different contents the one with the smallest canonical
hash stands, and each other one fails once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from schemas import failure_reasons
from schemas.event import MESSAGE_ID, PREVIOUS_ID, RECEIVED_AT, TIMESTAMP, TYPE, Event, Failure
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
    """What records come to.

    Attributes:
        records: those that stand, but for retracts.
        failures: of those that conflict with them.
        duplicates: how many copies were dropped.
        retracts: the retracts that stand.
        retracted: of the ids that a retract names, those of which there is an event -> whether it was taken out.
    """

    records: list[Record]
    failures: list[Failure]
    duplicates: int
    retracts: list[Record]
    retracted: dict[str, bool]


def deduplicate(records: Iterable[Record], retracted: Collection[str] = frozenset()) -> Deduplicated:
    """One record per message id, of all records with these ids (an `Event`, its bytes and its source each).

    `retracted`: the ids that any retract names, whatever else has that retract's own id.
    """
    first: dict[str, Record] = {}
    repeated: dict[str, list[Record]] = {}
    for record in records:
        known = first.setdefault(record[MESSAGE_ID], record)
        if known is not record:
            repeated.setdefault(record[MESSAGE_ID], [known]).append(record)
    found = Deduplicated([], [], 0, [], {})
    duplicates = 0
    for message_id in retracted:
        if message_id in first:
            repeated.setdefault(message_id, [first[message_id]])
    for message_id, same in repeated.items():
        contents = distinct_contents(same)
        duplicates += len(same) - len(contents)
        if message_id in retracted:
            found.retracted[message_id] = is_retractable(contents[0])
            contents = contents[1:] if is_retractable(contents[0]) else contents
        if contents:
            first[message_id] = contents[0]
        else:
            del first[message_id]
        found.failures.extend(conflict(record) for record in contents[1:])
    if not retracted:
        return found._replace(records=list(first.values()), duplicates=duplicates)
    for record in first.values():
        (found.retracts if record[TYPE] == RETRACT else found.records).append(record)
    return found._replace(duplicates=duplicates)


RETRACT = "retract"


def is_retractable(record: Record) -> bool:
    """An erasure is final, and so is a retract."""
    return record[TYPE] not in ("delete", RETRACT)


def not_retractable(retract: Record) -> Failure:
    """The failure of a retract that names what is final."""
    error = "/retracts: expected the messageId of an event that is neither a delete nor a retract"
    return failure_of(retract, failure_reasons.NOT_RETRACTABLE, error, "deduplicate")


class Told(NamedTuple):
    """Rows of `retractions`, and failures of retracts that name what is final."""

    rows: list[tuple[Any, ...]]
    failures: list[Failure]


def tell_retractions(retracts: Iterable[Record], retracted: Mapping[str, bool]) -> Told:
    """What retracts come to; `retracted` as in `Deduplicated`, of all that they name."""
    told = Told([], [])
    for retract in retracts:
        taken = retracted.get(retract[PREVIOUS_ID])
        if taken is False:
            told.failures.append(not_retractable(retract))
        else:
            told.rows.append(retraction_row(retract, found=bool(taken)))
    return told


def retraction_row(retract: Record, *, found: bool) -> tuple[Any, ...]:
    """The row of `retractions`."""
    return retract[MESSAGE_ID], retract[PREVIOUS_ID], retract[TIMESTAMP], found


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
