"""Deduplicates in a bounded job, and sends the events that had to be compared on to where they belong.

Nearly every message id occurs once. Its event is where its owner is already, and stays there. Of the others, found by
numbers of 8 bytes (columns/message_ids.py), every copy is compared, all copies of an id in one bucket; what stands
follows the others as an *exact* block. Whoever takes events leaves out those of suspect ids, but in exact blocks.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import AsDict, AsList, TaggedOutput
from apache_beam.typehints.decorators import no_annotations

from schemas.block import TableBlock
from schemas.event import MESSAGE_ID, PREVIOUS_ID, TYPE
from schemas.tables import RETRACTIONS
from transforms import counting
from transforms.columns.blocks import Keyed
from transforms.columns.message_ids import repeated
from transforms.deduplicate.columns import exact_blocks, extract_copies
from transforms.deduplicate.copies import RETRACT, deduplicate, tell_retractions
from transforms.failed_events import count_failures, failed_events_block
from transforms.identity.routes import Routed, route
from transforms.parse.blocks import EventBlocks, Originals
from transforms.parse.events import EventParser
from transforms.profiles.rows import block
from transforms.records import Buckets, Record, collection_paused
from transforms.records import unpack as unpack_records


class DeduplicatedEvents(NamedTuple):
    """What leaves the stage; blocks are keyed by bucket.

    Attributes:
        known: events that name a user.
        devices: events that name none.
        links: that users were behind devices.
        exact_known, exact_devices, exact_links: the same of ids that were compared; `owner` is the user as sent.
        suspects: numbers of the ids that were compared, packed: what is not exact is without their events.
        users: (user id, timestamp) of previous ids of aliases that occur as users.
        claims: the records of aliases and deletions, one element each.
        latest: the latest timestamp of some events.
        failed: rows of failed_events.
        retracts: the records of retracts, one element each.
        retracted: (id that a retract names, whether its event was taken out), where there is such an event.
    """

    known: Any
    devices: Any
    links: Any
    exact_known: Any
    exact_devices: Any
    exact_links: Any
    suspects: Any
    users: Any
    claims: Any
    latest: Any
    failed: Any
    retracts: Any
    retracted: Any


_EXTRACTED = ("copies", "users", "latest")
_COMPARED = (
    *("exact_known", "exact_devices", "exact_links"),
    *("users", "claims", "latest", "failed", "retracts", "retracted"),
)


class DeduplicateEvents(beam.PTransform[EventBlocks, DeduplicatedEvents]):
    """Exactly one event per message id. After `as_of`, where it is given, nothing has happened yet.

    Args:
        parser: what parsed the events: those with copies are parsed once more.
        buckets: how many buckets there are.
        as_of: microseconds.
    """

    def __init__(self, parser: EventParser, buckets: int, as_of: int | None) -> None:
        super().__init__()
        self._parser = parser
        self._buckets = buckets
        self._as_of = as_of

    @no_annotations
    def expand(self, events: EventBlocks) -> DeduplicatedEvents:
        claims = events.claims | "EachClaim" >> beam.FlatMap(_records)
        retracted = claims | "Retracted" >> beam.FlatMap(_named_by, RETRACT) | "EachRetracted" >> beam.Distinct()
        previous_ids = claims | "Previous" >> beam.FlatMap(_named_by, "alias") | "EachPrevious" >> beam.Distinct()
        suspects = events.ids | "ById" >> beam.GroupByKey() | "FindRepeated" >> beam.FlatMap(_repeated)
        extracted = events.originals | "ExtractCopies" >> beam.ParDo(
            _ExtractCopies(self._parser, self._buckets, self._as_of), AsList(suspects), AsList(previous_ids)
        ).with_outputs(*_EXTRACTED)
        compared = (
            (extracted.copies, events.claims)
            | "WithClaims" >> beam.Flatten()
            | "ByMessageId" >> beam.GroupByKey()
            | "Compare"
            >> beam.ParDo(_Compare(self._buckets, self._as_of), AsList(retracted), AsList(previous_ids)).with_outputs(
                *_COMPARED
            )
        )
        found = {name: compared[name] for name in _COMPARED}
        found["users"] = (extracted.users, compared.users) | "Users" >> beam.Flatten()
        found["latest"] = (extracted.latest, compared.latest) | "Latest" >> beam.Flatten()
        return DeduplicatedEvents(
            known=events.known, devices=events.devices, links=events.links, suspects=suspects, **found
        )


def _records(keyed: Keyed) -> Iterator[Record]:
    return unpack_records([keyed[1]])


def _named_by(claim: Record, kind: str) -> Iterator[str]:
    if claim[TYPE] == kind:
        yield claim[PREVIOUS_ID]


def _repeated(bucket: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
    numbers = repeated(bucket[1])
    if len(numbers):
        yield numbers.tobytes()


class _ExtractCopies(beam.DoFn):
    """Blocks of originals -> records of suspect ids, by message id; and what the others say to all."""

    def __init__(self, parser: EventParser, buckets: int, as_of: int | None) -> None:
        self._parser = parser
        self._buckets = buckets
        self._as_of = as_of

    @no_annotations
    def process(
        self, originals: Originals, suspects: list[bytes], previous_ids: list[str]
    ) -> Iterator[TaggedOutput[str, Any]]:
        found = extract_copies(originals, suspects, previous_ids, self._parser, self._as_of)
        copies = Buckets(self._buckets)
        for record in found.copies:
            copies.add(record[MESSAGE_ID], record)
        for keyed in copies.blocks():
            yield TaggedOutput("copies", keyed)
        if found.latest is not None:
            yield TaggedOutput("latest", found.latest)
        for seen in found.users.items():
            yield TaggedOutput("users", seen)


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


class _Compare(beam.DoFn):
    """All records of the suspect ids of a bucket."""

    def __init__(self, buckets: int, as_of: int | None) -> None:
        self._buckets = buckets
        self._as_of = as_of

    @no_annotations
    def process(
        self, bucket: tuple[int, Iterable[bytes]], retracted: list[str], previous_ids: list[str]
    ) -> Iterator[TaggedOutput[str, Any]]:
        with collection_paused():
            result = deduplicate(unpack_records(bucket[1]), frozenset(retracted))
        counting.count(counting.DUPLICATE, result.duplicates)
        counting.count(counting.RETRACTED, sum(result.retracted.values()))
        for retract in result.retracts:
            yield TaggedOutput("retracts", retract)
        for pair in result.retracted.items():
            yield TaggedOutput("retracted", pair)
        if result.failures:
            count_failures(result.failures)
            yield TaggedOutput("failed", failed_events_block(result.failures))
        if result.records:
            yield from self._routed(route(result.records, self._as_of), frozenset(previous_ids))

    def _routed(self, told: Routed, previous_ids: frozenset[str]) -> Iterator[TaggedOutput[str, Any]]:
        counting.count(counting.ERASED, sum(claim[TYPE] == "delete" for claim in told.claims))
        for claim in told.claims:
            yield TaggedOutput("claims", claim)
        for user_id, timestamp in told.last_seen.items():
            if user_id in previous_ids:
                yield TaggedOutput("users", (user_id, timestamp))
        yield TaggedOutput("latest", told.latest)
        for name, keyed in exact_blocks(told, self._buckets):
            yield TaggedOutput(name, keyed)
