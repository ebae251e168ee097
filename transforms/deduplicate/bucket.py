"""Deduplicates in a bounded job, and sends every event on to where its identity is decided.

Takes blocks keyed by bucket of message id. Each message id is in one bucket, so the result is exact.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.typehints.decorators import no_annotations

from schemas.block import TableBlock
from schemas.event import TYPE
from transforms import counting
from transforms.deduplicate.copies import deduplicate
from transforms.failed_events import count_failures, failed_events_block
from transforms.identity.routes import route
from transforms.records import Buckets, Record, collection_paused, unpack

Keyed = tuple[int, bytes]
Outputs: TypeAlias = (
    TaggedOutput[Literal["known"], Keyed]
    | TaggedOutput[Literal["devices"], Keyed]
    | TaggedOutput[Literal["users"], Keyed]
    | TaggedOutput[Literal["claims"], Record]
    | TaggedOutput[Literal["latest"], int]
    | TaggedOutput[Literal["failed"], TableBlock]
)


class DeduplicatedEvents(NamedTuple):
    """What leaves the stage; blocks are keyed by bucket.

    Attributes:
        known: (profile key `user:...`, event) of events with a user id.
        devices: (anonymous id, event, None) of anonymous events, (anonymous id, None, link) of links.
        users: (user id, timestamp of its last event in the block).
        claims: the records of aliases and deletions, one element each.
        latest: the latest timestamp of a bucket.
        failed: rows of failed_events.
    """

    known: beam.PCollection[tuple[int, bytes]]
    devices: beam.PCollection[tuple[int, bytes]]
    users: beam.PCollection[tuple[int, bytes]]
    claims: beam.PCollection[Record]
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
            count_failures(result.failures)
            yield TaggedOutput("failed", failed_events_block(result.failures))
        if result.records:
            with collection_paused():
                yield from self._routed(result.records)

    def _routed(self, records: list[Record]) -> Iterator[Outputs]:
        told = route(records, self._as_of)
        known, devices, users = Buckets(self._buckets), Buckets(self._buckets), Buckets(self._buckets)
        for pair in told.known:
            known.add(pair[0][5:], pair)
        for entry in told.devices:
            devices.add(entry[0], entry)
        for user_id, timestamp in told.last_seen.items():
            users.add(user_id, (user_id, timestamp))
        for claim in told.claims:
            yield TaggedOutput("claims", claim)
        counting.count(counting.ERASED, sum(claim[TYPE] == "delete" for claim in told.claims))
        yield TaggedOutput("latest", told.latest)
        for name, buckets in (("known", known), ("devices", devices), ("users", users)):
            for block in buckets.blocks():
                yield TaggedOutput(name, block)
