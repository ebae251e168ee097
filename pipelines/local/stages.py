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
from operator import itemgetter
from typing import Any, NamedTuple
from zlib import crc32

import duckdb
import pyarrow as pa

from pipelines.io.files.read_files import FileRange, messages
from pipelines.io.locations import DuckDBInput
from pipelines.io.tables.read_back import to_events
from pipelines.io.tables.read_events import TableInput, event_batches
from pipelines.io.tables.read_events import messages as table_messages
from pipelines.local.exchange import Exchange
from schemas.errors import InputError, OutputError
from schemas.event import ANONYMOUS_ID, MESSAGE_ID, PREVIOUS_ID, TIMESTAMP, TYPE, USER_ID, Event, Failure
from transforms.deduplicate.copies import RAW, deduplicate
from transforms.identity.aliases import Alias
from transforms.identity.links import Link
from transforms.identity.plan import Deletion, Device, IdentityPlan
from transforms.parse import EventParser
from transforms.records import Buckets, Record, unpack

BY_TIME = itemgetter(TIMESTAMP, MESSAGE_ID)


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
    """Of one bucket: aliases, deletions, the latest event time, how many copies were dropped, which events conflict."""

    aliases: list[Alias]
    deletions: list[Deletion]
    latest: int
    duplicates: int
    failures: Counter[str]


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
        result = deduplicate(unpack(self._exchange.read("messages", bucket)))
        self._exchange.drop("messages", bucket)
        known, devices, users = self._buckets(), self._buckets(), self._buckets()
        aliases, deletions = [], []
        last_seen: dict[str, int] = {}
        as_of = self._settings.as_of
        for record in result.records:
            user_id, timestamp, message_id = record[USER_ID], record[TIMESTAMP], record[MESSAGE_ID]
            exists = as_of is None or timestamp <= as_of
            if user_id is None:
                devices.add(record[ANONYMOUS_ID], (record[ANONYMOUS_ID], record[:RAW], None))
            elif record[TYPE] == "delete":
                deletions += [Deletion(timestamp, message_id, user_id)] if exists else []
            else:
                known.add(user_id, (f"user:{user_id}", record[:RAW]))
                if exists:
                    last_seen[user_id] = max(timestamp, last_seen.get(user_id, timestamp))
                    for device, is_alias in _links(record):
                        devices.add(device, (device, None, (timestamp, message_id, user_id, is_alias)))
                    if record[TYPE] == "alias":
                        aliases.append(Alias(timestamp, message_id, record[PREVIOUS_ID], user_id))
        for user_id, seen in last_seen.items():
            users.add(user_id, (user_id, seen))
        self._write(known=known, devices=devices, users=users)
        latest = max((record[TIMESTAMP] for record in result.records), default=0)
        failures = Counter(failure.reason for failure in result.failures)
        return Claims(aliases, deletions, latest, result.duplicates, failures)

    def last_seen(self, bucket: int, wanted: frozenset[str]) -> dict[str, int]:
        """Which of the wanted ids are users in the bucket, and when they were last seen."""
        found: dict[str, int] = {}
        for user_id, seen in unpack(self._exchange.read("users", bucket)):
            if user_id in wanted:
                found[user_id] = max(seen, found.get(user_id, seen))
        return found

    def resolve_devices(self, bucket: int, plan: IdentityPlan) -> int:
        """Anonymous events of a bucket's devices into "known" or "anonymous". Returns how many were erased."""
        events: dict[str, list[Record]] = {}
        links: dict[str, list[Link]] = {}
        for device_id, event, link in unpack(self._exchange.read("devices", bucket)):
            if link is None:
                events.setdefault(device_id, []).append(event)
            elif stands := plan.stands(link[1], of_previous=link[3]):
                links.setdefault(device_id, []).append(Link(link[0], link[1], link[2], stands))
        self._exchange.drop("devices", bucket)
        known, anonymous = self._buckets(), self._buckets()
        erased = 0
        for device_id, records in events.items():
            device = Device(plan, links.get(device_id, ()))
            for event in records:
                user_id, deletion = device.owner(event[TIMESTAMP])
                if deletion is not None:
                    erased += 1
                elif user_id is None:
                    anonymous.add(device_id, (f"anon:{device_id}", event))
                else:
                    known.add(user_id, (f"user:{user_id}", event))
        self._write(known=known, anonymous=anonymous)
        return erased

    def move_merged(self, bucket: int, plan: IdentityPlan) -> None:
        """Events of the bucket's users that aliases have made one profile into "merged", where their root is."""
        shared = frozenset((*plan.roots, *plan.roots.values()))
        merged = self._buckets()
        for profile_id, event in unpack(self._exchange.read("known", bucket)):
            user_id = profile_id[5:]
            if user_id in shared and _stays(event, plan):
                root = plan.root(user_id)
                merged.add(root, (f"user:{root}", event))
        self._write(merged=merged)

    def histories(self, bucket: int, plan: IdentityPlan) -> Iterator[tuple[str, list[Record]]]:
        """Every profile of a bucket that exists at `as_of`, with its events in order."""
        histories: dict[str, list[Record]] = {}
        as_of = plan.as_of
        for profile_id, event in self._records(bucket, plan):
            if event[TIMESTAMP] <= as_of:
                records = histories.get(profile_id)
                if records is None:
                    histories[profile_id] = [event]
                else:
                    records.append(event)
        for profile_id in sorted(histories):
            records = histories.pop(profile_id)
            records.sort(key=BY_TIME)
            yield profile_id, records

    def _records(self, bucket: int, plan: IdentityPlan) -> Iterator[Record]:
        exchange = self._exchange
        shared = frozenset(f"user:{user_id}" for user_id in (*plan.roots, *plan.roots.values()))
        known = unpack(exchange.read("known", bucket))
        if plan.erased or plan.refused or shared:
            known = (pair for pair in known if pair[0] not in shared and _stays(pair[1], plan))
        yield from known
        yield from unpack(exchange.read("merged", bucket))
        yield from unpack(exchange.read("anonymous", bucket))


def _batches(location: TableInput) -> Iterator[pa.RecordBatch]:
    """The rows of an `events` table; whatever cannot be read is an InputError."""
    try:
        if isinstance(location, DuckDBInput):
            yield from event_batches(location)
            return
        from pipelines.io.bigquery.service import BigQueryError

        try:
            yield from event_batches(location)
        except BigQueryError as error:
            raise InputError(f"--input {location.text}: {error}") from error
    except (OutputError, duckdb.Error) as error:
        raise InputError(f"--input {location.text}: {error}") from error


def bucket_of_profile(profile_id: str, buckets: int) -> int:
    """Where a profile's history is (as `Buckets` sorts ids)."""
    return crc32(profile_id[5:].encode()) % buckets


def _links(record: Record) -> Iterable[tuple[str, bool]]:
    """The devices that the event links to its user; whether as an alias."""
    if record[ANONYMOUS_ID] is not None:
        yield record[ANONYMOUS_ID], False
    if record[TYPE] == "alias":
        yield record[PREVIOUS_ID], True


def _stays(event: Any, plan: IdentityPlan) -> bool:
    """Whether the event is neither erased nor an alias that merges nothing."""
    if event[MESSAGE_ID] in plan.refused:
        return False
    return event[USER_ID] is None or plan.erased_by(event[USER_ID], event[TIMESTAMP]) is None
