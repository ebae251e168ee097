"""Deduplicates in a bounded job, and sends every event on to where its identity is decided.

Takes blocks keyed by bucket of message id. Each message id is in one bucket, so the result is exact.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.typehints.decorators import no_annotations

from schemas.block import TableBlock
from schemas.event import ANONYMOUS_ID, MESSAGE_ID, PREVIOUS_ID, RECEIVED_AT, TIMESTAMP, TYPE, USER_ID
from transforms import counting
from transforms.deduplicate.copies import RAW, SOURCE, deduplicate
from transforms.failed_events import failed_events_block
from transforms.records import Buckets, Record, collection_paused, unpack

Claim = tuple[str, tuple[Any, ...]]
"""("alias", (timestamp, message id, previous id, user id, bytes, source, received_at)) or
("delete", (timestamp, message id, user id))."""


Keyed = tuple[int, bytes]
Outputs: TypeAlias = (
    TaggedOutput[Literal["known"], Keyed]
    | TaggedOutput[Literal["devices"], Keyed]
    | TaggedOutput[Literal["users"], Keyed]
    | TaggedOutput[Literal["claims"], Claim]
    | TaggedOutput[Literal["latest"], int]
    | TaggedOutput[Literal["failed"], TableBlock]
)


class DeduplicatedEvents(NamedTuple):
    """What leaves the stage; blocks are keyed by bucket.

    Attributes:
        known: (profile key `user:...`, event) of events with a user id.
        devices: (anonymous id, event, None) of anonymous events, (anonymous id, None, link) of links.
        users: (user id, timestamp of its last event in the block).
        claims: aliases and deletions, one element each.
        latest: the latest timestamp of a bucket.
        failed: rows of failed_events.
    """

    known: beam.PCollection[tuple[int, bytes]]
    devices: beam.PCollection[tuple[int, bytes]]
    users: beam.PCollection[tuple[int, bytes]]
    claims: beam.PCollection[Claim]
    latest: beam.PCollection[int]
    failed: beam.PCollection[TableBlock]


class DeduplicateEvents(beam.PTransform):
    """Exactly one event per message id. After `as_of`, where it is given, nothing has happened yet."""

    def __init__(self, buckets: int, as_of: int | None) -> None:
        super().__init__()
        self._buckets = buckets
        self._as_of = as_of

    @no_annotations
    def expand(self, blocks: beam.PCollection[tuple[int, bytes]]) -> DeduplicatedEvents:
        outputs = (
            blocks
            | "ByMessageId" >> beam.GroupByKey()
            | "Deduplicate"
            >> beam.ParDo(_Deduplicate(self._buckets, self._as_of)).with_outputs(*DeduplicatedEvents._fields)
        )
        return DeduplicatedEvents(*(outputs[name] for name in DeduplicatedEvents._fields))


class _Deduplicate(beam.DoFn):
    def __init__(self, buckets: int, as_of: int | None) -> None:
        self._buckets = buckets
        self._as_of = as_of

    def process(self, bucket: tuple[int, Iterable[bytes]]) -> Iterator[Outputs]:
        result = deduplicate(unpack(bucket[1]))
        counting.count(counting.DUPLICATE, result.duplicates)
        if result.failures:
            yield TaggedOutput("failed", failed_events_block(result.failures))
        if result.records:
            with collection_paused():
                yield from self._routed(result.records)

    def _routed(self, records: list[Record]) -> Iterator[Outputs]:
        known, devices, users = Buckets(self._buckets), Buckets(self._buckets), Buckets(self._buckets)
        last_seen: dict[str, int] = {}
        as_of = self._as_of
        for record in records:
            user_id, timestamp = record[USER_ID], record[TIMESTAMP]
            event = record[:RAW]
            if user_id is None:
                devices.add(record[ANONYMOUS_ID], (record[ANONYMOUS_ID], event, None))
                continue
            exists = as_of is None or timestamp <= as_of
            if exists and last_seen.get(user_id, timestamp) <= timestamp:
                last_seen[user_id] = timestamp
            if exists and record[TYPE] == "delete":
                counting.count(counting.ERASED)
                yield TaggedOutput("claims", ("delete", (timestamp, record[MESSAGE_ID], user_id)))
                continue
            known.add(user_id, (f"user:{user_id}", event))
            if not exists:
                continue
            if record[ANONYMOUS_ID] is not None:
                devices.add(
                    record[ANONYMOUS_ID], (record[ANONYMOUS_ID], None, (timestamp, record[MESSAGE_ID], user_id, False))
                )
            if record[TYPE] == "alias":
                previous = record[PREVIOUS_ID]
                devices.add(previous, (previous, None, (timestamp, record[MESSAGE_ID], user_id, True)))
                alias = (
                    timestamp,
                    record[MESSAGE_ID],
                    previous,
                    user_id,
                    record[RAW],
                    record[SOURCE],
                    record[RECEIVED_AT],
                )
                yield TaggedOutput("claims", ("alias", alias))
        for user_id, timestamp in last_seen.items():
            users.add(user_id, (user_id, timestamp))
        yield TaggedOutput("latest", max(record[TIMESTAMP] for record in records))
        for name, buckets in (("known", known), ("devices", devices), ("users", users)):
            for block in buckets.blocks():
                yield TaggedOutput(name, block)
