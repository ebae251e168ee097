"""The stages of the bounded job up to its profiles, each for one piece or bucket, without a runner.

| method | reads | writes |
| --- | --- | --- |
| parse, parse_table | the input | what `EventBlocks` names, but for `ids` |
| extract_copies | originals | copies |
| compare_copies | copies, claims | exact_known, exact_devices, exact_links |
| resolve_devices | devices, links, exact_devices, exact_links | resolved, anonymous |
| gather_users | known, exact_known, resolved | users; merged, of users that aliases made one, where their root is |
| read_table | an `events` table that is taken at its word | users, anonymous |
| profiles | users, merged, anonymous | |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.files.ranges import FileRange
from pipelines.io.tables.event_rows import TableInput, event_batches
from pipelines.io.tables.event_rows import messages as table_messages
from pipelines.io.tables.read_back import to_owned_events
from pipelines.local.exchange import Exchange
from schemas.errors import InputError, OutputError
from schemas.event import MESSAGE_ID, PREVIOUS_ID, TYPE, Failure
from transforms.columns.blocks import concatenated, pack, packed_by, unpack
from transforms.columns.events import EVENTS, LINKS, OWNED_EVENTS, OWNER, owned_events
from transforms.columns.selection import Selection
from transforms.deduplicate.columns import exact_blocks, extract_copies, standing
from transforms.deduplicate.copies import RETRACT, Deduplicated, deduplicate
from transforms.identity.columns import resolve_columns
from transforms.identity.plan import IdentityPlan
from transforms.identity.routes import route
from transforms.parse import EventParser
from transforms.parse.blocks import EventCollector, Originals
from transforms.parse.collect import collect, grouped
from transforms.profiles.columns import OrderedEvents, gather_columns, ordered, take_known, until
from transforms.records import Buckets, Record
from transforms.records import unpack as unpack_records


@dataclass(frozen=True, slots=True)
class Settings:
    """What every worker knows. Instants in microseconds."""

    folder: str
    buckets: int
    parser: EventParser
    as_of: int | None


class Read(NamedTuple):
    """What a piece of the input held.

    Attributes:
        records: how many.
        failures: of those that are no events, by reason.
        ids: numbers of message ids, packed, as in `EventBlocks`.
        retracted: the ids that retracts name; `previous_ids` those of aliases.
    """

    records: int
    failures: Counter[str]
    ids: list[bytes]
    retracted: set[str]
    previous_ids: set[str]


class Seen(NamedTuple):
    """Of some events: the latest time (None: there is none), and which previous ids are users, with their last time."""

    latest: int | None
    users: dict[str, int]


class Compared(NamedTuple):
    """Of one bucket: what copies came to, without the records that stand; aliases and deletions; and what is seen."""

    copies: Deduplicated
    claims: list[tuple[object, ...]]
    seen: Seen


class Stages:
    """One process's share of the work."""

    def __init__(self, settings: Settings) -> None:
        self._parser, self._buckets, self._as_of = settings.parser, settings.buckets, settings.as_of
        self._exchange = Exchange(settings.folder)
        self._turn = count()

    # --- reading -------------------------------------------------------------------------------------------------

    def parse(self, piece: FileRange) -> Read:
        """A range of a file."""
        return self._parse(piece.groups(), piece.source)

    def parse_table(self, location: TableInput) -> Read:
        """An `events` table as if it were a file: to be united with files."""
        messages = (message for rows in _rows(location) for message in table_messages(rows))
        return self._parse(grouped(messages), location.text)

    def _parse(self, groups: Iterable[Sequence[bytes | Failure]], source: str) -> Read:
        read = Read(0, Counter(), [], set(), set())
        for parsed in collect(self._parser, groups, source, self._buckets):
            read = read._replace(records=read.records + parsed.read)
            read.failures.update(failure.reason for failure in parsed.failures)
            self._keep(parsed.events, read)
        return read

    def _keep(self, events: EventCollector, read: Read) -> None:
        for name, element in events.blocks():
            if name == "ids":
                read.ids.append(element[1])
            elif name == "originals":
                self._exchange.write(name, next(self._turn) % self._buckets, element.packed)
            else:
                self._exchange.write(name, *element)
            for claim in unpack_records([element[1]]) if name == "claims" else ():
                if claim[TYPE] == RETRACT:
                    read.retracted.add(claim[PREVIOUS_ID])
                elif claim[TYPE] == "alias":
                    read.previous_ids.add(claim[PREVIOUS_ID])

    def read_table(self, location: TableInput) -> tuple[int, int | None]:
        """An `events` table whose events are unique, and their profiles known: how many there are, and the latest."""
        read, latest = 0, list[int]()
        for rows in _rows(location):
            read += rows.num_rows
            latest += [] if not rows.num_rows else [pc.max(rows.column("timestamp").cast(pa.int64())).as_py()]
            for stage, events in zip(("users", "anonymous"), to_owned_events(rows), strict=True):
                self._write(stage, Selection(events))
        return read, max(latest, default=None)

    def _write(self, stage: str, events: Selection) -> None:
        """Events with their owners, to where those are."""
        for keyed in packed_by(events, "owner", self._buckets):
            self._exchange.write(stage, *keyed)

    # --- copies --------------------------------------------------------------------------------------------------

    def extract_copies(self, bucket: int, suspects: Sequence[bytes], previous_ids: Collection[str]) -> Seen:
        """What may have copies, by message id."""
        copies = Buckets(self._buckets)
        latest: list[int] = []
        users: dict[str, int] = {}
        for block in self._exchange.read("originals", bucket):
            found = extract_copies(Originals(None, block), suspects, previous_ids, self._parser, self._as_of)
            for record in found.copies:
                copies.add(record[MESSAGE_ID], record)
            latest += [] if found.latest is None else [found.latest]
            users |= {user: max(at, users.get(user, at)) for user, at in found.users.items()}
        self._exchange.drop(bucket, "originals")
        for keyed in copies.blocks():
            self._exchange.write("copies", *keyed)
        return Seen(max(latest, default=None), users)

    def compare_copies(self, bucket: int, retracted: Collection[str], previous_ids: Collection[str]) -> Compared:
        """Everything that was taken out, and claims."""
        read = self._exchange.read
        found = deduplicate(unpack_records((*read("copies", bucket), *read("claims", bucket))), retracted)
        self._exchange.drop(bucket, "copies", "claims")
        told = route(found.records, self._as_of)
        for stage, keyed in exact_blocks(told, self._buckets):
            self._exchange.write(stage, *keyed)
        users = {user: at for user, at in told.last_seen.items() if user in previous_ids}
        seen = Seen(told.latest if found.records else None, users)
        return Compared(found._replace(records=[]), told.claims, seen)

    # --- whose an event is ---------------------------------------------------------------------------------------

    def resolve_devices(self, bucket: int, plan: IdentityPlan, suspects: Sequence[bytes]) -> None:
        """Anonymous events of a bucket's devices."""
        found = resolve_columns(
            self._standing(bucket, "devices", EVENTS, suspects),
            self._standing(bucket, "links", LINKS, suspects).copied(),
            plan,
        )
        self._exchange.drop(bucket, "devices", "links", "exact_devices", "exact_links")
        for known in (found.known.with_column(OWNER, found.owners), _selection(found.exceptional.known)):
            self._write("resolved", known)
        anonymous = found.anonymous.with_column(OWNER, found.anonymous.column("anonymous_id"))
        for events in (anonymous, _selection(found.exceptional.anonymous)):
            self._keep_here("anonymous", bucket, events)

    def _standing(self, bucket: int, stage: str, schema: pa.Schema, suspects: Sequence[bytes]) -> Selection:
        parsed, exact = self._exchange.read(stage, bucket), self._exchange.read(f"exact_{stage}", bucket)
        return standing(map(unpack, parsed), map(unpack, exact), suspects, schema)

    def gather_users(self, bucket: int, plan: IdentityPlan, suspects: Sequence[bytes]) -> None:
        """Events of a bucket's users: those of users that an alias has made one go to their root."""
        stages = {"known": "known", "exact": "exact_known", "resolved": "resolved"}
        told = {name: self._exchange.read(stage, bucket) for name, stage in stages.items()}
        found = gather_columns(take_known(told, suspects), plan)
        self._exchange.drop(bucket, *stages.values())
        self._keep_here("users", bucket, found.events)
        self._write("merged", found.merged)

    def _keep_here(self, stage: str, bucket: int, events: Selection) -> None:
        """Events whose owners are in this bucket."""
        if events.num_rows:
            self._exchange.write(stage, bucket, pack(events.copied()))

    def profiles(self, bucket: int, as_of: int) -> Iterator[OrderedEvents]:
        """The profiles of a bucket that exist at an instant, and their events until then: users, then devices."""
        for kind, stages in (("user:", ("users", "merged")), ("anon:", ("anonymous",))):
            blocks = (unpack(block) for stage in stages for block in self._exchange.read(stage, bucket))
            found = until(ordered(Selection(concatenated(blocks, OWNED_EVENTS)), kind), as_of)
            if found.profile_ids:
                yield found


def _selection(pairs: Iterable[Record]) -> Selection:
    """(profile id, event) as columns."""
    return Selection(pa.Table.from_batches([owned_events(pairs)]))


def _rows(location: TableInput) -> Iterator[pa.RecordBatch]:
    """The rows of an `events` table; whatever cannot be read is an InputError."""
    try:
        yield from event_batches(location)
    except (OutputError, BigQueryError, duckdb.Error) as error:
        raise InputError(f"--input {location.text}: {error}") from error
