"""Deduplicates in a bounded job, and sends every event on to where its identity is decided.

Takes blocks keyed by bucket of message id. Each message id is in one bucket, so the result is exact.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

import apache_beam as beam
from apache_beam.pvalue import AsDict, AsList, TaggedOutput
from apache_beam.typehints.decorators import no_annotations

from schemas.block import TableBlock
from schemas.event import TYPE
from schemas.tables import RETRACTIONS
from transforms import counting
from transforms.deduplicate.copies import deduplicate, tell_retractions
from transforms.failed_events import count_failures, failed_events_block
from transforms.identity.routes import route
from transforms.profiles.rows import block
from transforms.records import RETRACTED, Buckets, Record, collection_paused, unpack

Keyed = tuple[int, bytes]
Known = TaggedOutput[Literal["known"], Keyed]
OfDevices = TaggedOutput[Literal["devices"], Keyed]
OfUsers = TaggedOutput[Literal["users"], Keyed]
Claim = TaggedOutput[Literal["claims"], Record]
Latest = TaggedOutput[Literal["latest"], int]
Retract = TaggedOutput[Literal["retracts"], Record]
Retracted = TaggedOutput[Literal["retracted"], tuple[str, bool]]
Failed = TaggedOutput[Literal["failed"], TableBlock]
Outputs: TypeAlias = Known | OfDevices | OfUsers | Claim | Latest | Retract | Retracted | Failed


class DeduplicatedEvents(NamedTuple):
    """What leaves the stage; blocks are keyed by bucket.

    Attributes:
        known: (profile key `user:...`, event) of events with a user id.
        devices: (anonymous id, event, None) of anonymous events, (anonymous id, None, link) of links.
        users: (user id, timestamp of its last event in the block).
        claims: the records of aliases and deletions, one element each.
        latest: the latest timestamp of a bucket.
        failed: rows of failed_events.
        retracts: the records of retracts, one element each.
        retracted: (id that a retract names, whether its event was taken out), where there is such an event.
    """

    known: beam.PCollection[tuple[int, bytes]]
    devices: beam.PCollection[tuple[int, bytes]]
    users: beam.PCollection[tuple[int, bytes]]
    claims: beam.PCollection[Record]
    latest: beam.PCollection[int]
    failed: beam.PCollection[TableBlock]
    retracts: beam.PCollection[Record]
    retracted: beam.PCollection[tuple[str, bool]]


class DeduplicateEvents(beam.PTransform[beam.PCollection[tuple[int, bytes]], DeduplicatedEvents]):
    """Exactly one event per message id. After `as_of`, where it is given, nothing has happened yet."""

    def __init__(self, buckets: int, as_of: int | None) -> None:
        super().__init__()
        self._buckets = buckets
        self._as_of = as_of

    @no_annotations
    def expand(self, blocks: beam.PCollection[tuple[int, bytes]]) -> DeduplicatedEvents:
        retracted = blocks | "Retracted" >> beam.FlatMap(_retracted) | "EachRetracted" >> beam.Distinct()
        deduplicate_bucket = beam.ParDo(_Deduplicate(self._buckets, self._as_of), AsList(retracted))
        outputs = (
            blocks
            | "ByMessageId" >> beam.GroupByKey()
            | "Deduplicate" >> deduplicate_bucket.with_outputs(*DeduplicatedEvents._fields)
        )
        return DeduplicatedEvents(*(outputs[name] for name in DeduplicatedEvents._fields))


def _retracted(block: tuple[int, bytes]) -> Iterator[str]:
    """The ids that retracts name: they stand in blocks of their own."""
    if block[0] == RETRACTED:
        for (message_id,) in unpack([block[1]]):
            yield message_id


class WriteRetractions(beam.PTransform[DeduplicatedEvents, beam.PCollection[TableBlock]]):
    """Retracts, and which of the ids that they name were taken out -> rows of `retractions` and `failed_events`."""

    @no_annotations
    def expand(self, events: DeduplicatedEvents) -> beam.PCollection[TableBlock]:
        tell = beam.ParDo(_tell_retraction, AsDict(events.retracted))
        rows: beam.PCollection[TableBlock] = events.retracts | "Tell" >> tell
        return rows


def _tell_retraction(retract: Record, retracted: dict[str, bool]) -> Iterator[TableBlock]:
    told = tell_retractions([retract], retracted)
    if told.rows:
        counting.count(counting.RETRACTED)
        yield block(RETRACTIONS, told.rows)
    if told.failures:
        count_failures(told.failures)
        yield failed_events_block(told.failures)


class _Deduplicate(beam.DoFn):
    def __init__(self, buckets: int, as_of: int | None) -> None:
        self._buckets = buckets
        self._as_of = as_of

    def process(self, bucket: tuple[int, Iterable[bytes]], retracted: list[str]) -> Iterator[Outputs]:
        if bucket[0] == RETRACTED:
            return
        result = deduplicate(unpack(bucket[1]), frozenset(retracted))
        counting.count(counting.DUPLICATE, result.duplicates)
        counting.count(counting.RETRACTED, sum(result.retracted.values()))
        for retract in result.retracts:
            yield Retract("retracts", retract)
        for pair in result.retracted.items():
            yield Retracted("retracted", pair)
        if result.failures:
            count_failures(result.failures)
            yield Failed("failed", failed_events_block(result.failures))
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
            yield Claim("claims", claim)
        counting.count(counting.ERASED, sum(claim[TYPE] == "delete" for claim in told.claims))
        yield Latest("latest", told.latest)
        yield from (Known("known", keyed) for keyed in known.blocks())
        yield from (OfDevices("devices", keyed) for keyed in devices.blocks())
        yield from (OfUsers("users", keyed) for keyed in users.blocks())
