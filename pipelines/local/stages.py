"""The stages from records to histories, each for one piece or bucket; made of what the bounded job is made of.

| method | reads | writes |
| --- | --- | --- |
| parse, parse_table | the input | messages: (event, its bytes, its source) |
| deduplicate | messages | known: (profile id, event); devices: (anonymous id, event or None, link or None); users |
| resolve_devices | devices | known and anonymous: (profile id, event) |
| move_merged | known | merged: (profile id, event), of users that aliases made one |
| histories | known, merged, anonymous | |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

import duckdb
import pyarrow as pa

from pipelines.io.files.ranges import FileRange, messages
from pipelines.io.locations import DuckDBInput
from pipelines.io.tables.event_rows import TableInput, event_batches
from pipelines.io.tables.event_rows import messages as table_messages
from pipelines.io.tables.read_back import to_events
from pipelines.local.exchange import Exchange
from schemas.errors import InputError, OutputError
from schemas.event import TIMESTAMP, Event, Failure
from schemas.tables import EVENTS
from transforms.deduplicate.copies import deduplicate
from transforms.identity.devices import resolve_devices
from transforms.identity.plan import IdentityPlan
from transforms.identity.routes import route
from transforms.parse import EventParser
from transforms.profiles.gather import gather
from transforms.profiles.history import BY_TIME
from transforms.records import RETRACTED, Buckets, Record, unpack


@dataclass(frozen=True, slots=True)
class Settings:
    """What every worker knows. Instants in microseconds."""

    folder: str
    buckets: int
    parser: EventParser
    as_of: int | None


class Read(NamedTuple):
    """What a piece of the input held. `latest`: the last event time, where it is known already."""

    records: int
    failures: Counter[str]
    latest: int | None = None


class Claims(NamedTuple):
    """Of one bucket: aliases and deletions, the latest time, how many copies were dropped, what conflicts, retracts."""

    records: list[Record]
    latest: int
    duplicates: int
    failures: Counter[str]
    retracts: list[Record]
    retracted: dict[str, bool]


class Stages:
    """One process's share of the work."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._exchange = Exchange(settings.folder)

    def _buckets(self) -> Buckets:
        return Buckets(self._settings.buckets)

    def _write(self, **stages: Buckets) -> None:
        for stage, records in stages.items():
            self._exchange.write(stage, records)

    def _by_profile(self, pairs: Iterable[Record]) -> Buckets:
        """(profile id, event), by the id without its kind."""
        found = self._buckets()
        for pair in pairs:
            found.add(pair[0][5:], pair)
        return found

    def _by_first(self, records: Iterable[Record]) -> Buckets:
        found = self._buckets()
        for record in records:
            found.add(record[0], record)
        return found

    def parse(self, piece: FileRange) -> Read:
        """A range of a file into "messages"."""
        found = self._buckets()
        failures: Counter[str] = Counter()
        read = 0
        for message in messages(piece):
            read += 1
            self._take(message, piece.source, found, failures)
        self._write(messages=found)
        return Read(read, failures)

    def _take(self, message: bytes | Failure, source: str, found: Buckets, failures: Counter[str]) -> None:
        parsed = message if isinstance(message, Failure) else self._settings.parser.parse(message, source)
        if isinstance(parsed, Event):
            found.add(parsed.message_id, (*parsed, message, source))
            if parsed.type == "retract":
                found.add_retracted(parsed.previous_id)
        else:
            failures[parsed.reason] += 1

    def parse_table(self, location: TableInput) -> Read:
        """An `events` table into "messages", as if it were a file: to be united with files."""
        found = self._buckets()
        failures: Counter[str] = Counter()
        read = 0
        for batch in _batches(location):
            for message in table_messages(batch):
                read += 1
                self._take(message, location.text, found, failures)
        self._write(messages=found)
        return Read(read, failures)

    def read_table(self, location: TableInput) -> Read:
        """An `events` table into "known" and "anonymous": its events are unique, and their profiles known."""
        read, latest = 0, None
        for batch in _batches(location):
            known, anonymous = self._buckets(), self._buckets()
            for profile_id, event in zip(batch.column("profile_id").to_pylist(), to_events(batch), strict=True):
                (known if profile_id.startswith("user:") else anonymous).add(profile_id[5:], (profile_id, tuple(event)))
                latest = event.timestamp if latest is None else max(latest, event.timestamp)
            self._write(known=known, anonymous=anonymous)
            read += batch.num_rows
        return Read(read, Counter(), latest)

    def deduplicate(self, bucket: int) -> Claims:
        """Messages of a bucket into "known", "devices" and "users" (user id -> last seen)."""
        retracted = frozenset(message_id for (message_id,) in unpack(self._exchange.read("messages", RETRACTED)))
        result = deduplicate(unpack(self._exchange.read("messages", bucket)), retracted)
        self._exchange.drop("messages", bucket)
        told = route(result.records, self._settings.as_of)
        self._write(known=self._by_profile(told.known))
        self._write(devices=self._by_first(told.devices), users=self._by_first(told.last_seen.items()))
        failures = Counter(failure.reason for failure in result.failures)
        return Claims(told.claims, told.latest, result.duplicates, failures, result.retracts, result.retracted)

    def last_seen(self, bucket: int, wanted: frozenset[str]) -> dict[str, int]:
        """Which of the wanted ids are users in the bucket, and when they were last seen."""
        found: dict[str, int] = {}
        for user_id, seen in unpack(self._exchange.read("users", bucket)):
            if user_id in wanted:
                found[user_id] = max(seen, found.get(user_id, seen))
        return found

    def resolve_devices(self, bucket: int, plan: IdentityPlan) -> int:
        """Anonymous events of a bucket's devices into "known" or "anonymous". Returns how many were erased."""
        found = resolve_devices(unpack(self._exchange.read("devices", bucket)), plan)
        self._exchange.drop("devices", bucket)
        self._write(known=self._by_profile(found.known), anonymous=self._by_profile(found.anonymous))
        return sum(rows for (_, table), rows in found.erased.items() if table == EVENTS.name)

    def move_merged(self, bucket: int, plan: IdentityPlan) -> None:
        """Events of the bucket's users that aliases have made one profile into "merged", where their root is."""
        found = gather(unpack(self._exchange.read("known", bucket)), plan)
        self._write(merged=self._by_profile(found.merged))

    def histories(self, bucket: int, plan: IdentityPlan) -> Iterator[tuple[str, list[Record]]]:
        """Every profile of a bucket that exists at `as_of`, with its events in order."""
        read = self._exchange.read
        histories = gather(unpack((*read("known", bucket), *read("anonymous", bucket))), plan).histories
        histories |= gather(unpack(read("merged", bucket)), plan, regrouped=True).histories
        for profile_id in sorted(histories):
            records = [record for record in histories.pop(profile_id) if record[TIMESTAMP] <= plan.as_of]
            records.sort(key=BY_TIME)
            if records:
                yield profile_id, records


def _batches(location: TableInput) -> Iterator[pa.RecordBatch]:
    """The rows of an `events` table; whatever cannot be read is an InputError."""
    try:
        if isinstance(location, DuckDBInput):
            yield from event_batches(location)
            return
        from pipelines.io.bigquery.errors import BigQueryError

        try:
            yield from event_batches(location)
        except BigQueryError as error:
            raise InputError(f"--input {location.text}: {error}") from error
    except (OutputError, duckdb.Error) as error:
        raise InputError(f"--input {location.text}: {error}") from error


def bucket_of_profile(profile_id: str, buckets: int) -> int:
    """Where a profile's history is (as `Buckets` sorts ids)."""
    return crc32(profile_id[5:].encode()) % buckets
