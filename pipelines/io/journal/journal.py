"""The journal of a stream on one machine: every message that was read, before anything is done with it.

The local runner keeps no state over a restart. So a message is written here in the same step that reads it, and only
then handed on and acknowledged to its source; the next run reads the journal first. Knows no Beam.

| table | holds |
| --- | --- |
| `messages` | order of arrival, digest of the bytes, message_id, event time, raw, source, attributes, failure |
| `history` | per run: the bounded inputs (the journal itself among them) that were read to their end |
| `watermarks` | per reader of a live source: the watermark that it has told |
| `about` | the journal's id |

SQLite, since a batch of small blobs by key, durable at its commit, is what it is best at. Nothing is counted twice: a
message that comes again is known by its bytes.

A long history is appended to an empty journal without its indexes, which are made once, at the end: in no order at all,
digests would have each batch write most pages of their index again. Copies are found then, too.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import orjson

from pipelines.io.stream.found_records import carried
from pipelines.io.stream.source import Record
from schemas.event import Failure
from schemas.message import Message
from transforms.failed_events import failure_id
from transforms.state.process import PROCESS, Registry

FILE_NAME = "journal.sqlite"
_KEEPS_RECEIPTS = "keeps receipts"
_DIGEST_BYTES = 16
_BUSY_SECONDS = 60.0
_CACHE_KB = 128 * 1024
"""At most. With SQLite's own 2 MB the pages of the digests' index, which is written in no order, come and go."""
_BULK_PAGES = 100_000
"""Of the log that are copied at once: the pages of an index in no order are written again and again."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL,
    message_id TEXT,
    event_us INTEGER NOT NULL,
    raw BLOB NOT NULL,
    source TEXT NOT NULL,
    attributes TEXT NOT NULL,
    late INTEGER NOT NULL DEFAULT 0,
    failure TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS history (run TEXT, name TEXT, PRIMARY KEY (run, name));
CREATE TABLE IF NOT EXISTS watermarks (reader TEXT PRIMARY KEY, us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS receipts (receipt_id TEXT PRIMARY KEY, counts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_INDEXES = ("by_digest", "by_message_id")
_OF_EARLIER_RELEASES = "sqlite_autoindex_messages_1"
"""The index of digests where the table itself says that they are unique. It cannot be dropped."""
_INSERT = (
    "INSERT OR IGNORE INTO messages (digest, message_id, event_us, raw, source, attributes, failure) "
    "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7"
)
_UNLESS_THERE = " WHERE NOT EXISTS (SELECT 1 FROM messages WHERE digest = ?1)"
_DROP_COPIES = """
DELETE FROM messages WHERE number IN (
    SELECT copy.number
    FROM (SELECT digest, min(number) AS first FROM messages GROUP BY digest HAVING count(*) > 1) AS original
    JOIN messages AS copy ON copy.digest = original.digest AND copy.number > original.first
)"""


class _Identified(msgspec.Struct, rename="camel"):
    message_id: str | None = None


_DECODER = msgspec.json.Decoder(_Identified)


class NumberedRecord(NamedTuple):
    """A message of the journal and its place in it."""

    number: int
    record: Record


class ErasedFailure(NamedTuple):
    """A row of `failed_events` that has lost its bytes."""

    failure_id: str
    reason: str
    message_id: str | None


class Journal:
    """One journal in a folder. Thread-safe; several processes may have it open."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._trusts = False
        self._connection = sqlite3.connect(folder / FILE_NAME, timeout=_BUSY_SECONDS, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        self._connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten, not only unlinked
        with self._connection:
            is_new = not self._ask("SELECT 1 FROM sqlite_master WHERE name = 'messages'")
            self._connection.executescript(_SCHEMA)
            if "failure" not in {column for _, column, *_ in self._ask("PRAGMA table_info(messages)")}:
                self._connection.execute("ALTER TABLE messages ADD COLUMN failure TEXT NOT NULL DEFAULT ''")
            if not self._ask("SELECT 1 FROM about WHERE name = 'id'"):
                about = [("id", uuid.uuid4().hex), (_KEEPS_RECEIPTS, "yes")]
                self._connection.executemany("INSERT OR IGNORE INTO about VALUES (?, ?)", about)
            if is_new:
                self._make_indexes()

    def mend(self) -> None:
        """Ends what a run could not that was killed while it took a history in."""
        with self._lock, self._connection:
            self._make_indexes()

    def trust_sources(self, *, was_empty: bool) -> None:
        """Has this process append faster: what the journal loses when the machine goes down, its sources still have.

        `make_safe` ends that, for what all processes have appended. `was_empty`: so was the journal when that began,
        and its indexes are made at the end.
        """
        if self._trusts:
            return
        self._trusts = True
        with self._lock, self._connection:
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {_BULK_PAGES}")
            if was_empty:
                for name in _INDEXES:
                    self._connection.execute(f"DROP INDEX IF EXISTS {name}")
        with self._lock:
            self._connection.execute("PRAGMA synchronous = NORMAL")

    def make_safe(self) -> None:
        """Has all that was appended lie on the disk."""
        with self._lock:
            with self._connection:
                self._make_indexes()
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _make_indexes(self) -> None:
        """Makes those that there are not. Without one of the digests there may be copies."""
        made = {str(name) for (name,) in self._ask("SELECT name FROM sqlite_master WHERE type = 'index'")}
        if "by_message_id" not in made:
            self._connection.execute("CREATE INDEX by_message_id ON messages (message_id)")
        if made.isdisjoint(("by_digest", _OF_EARLIER_RELEASES)):
            self._connection.execute("CREATE INDEX by_digest ON messages (digest)")
            self._connection.execute(_DROP_COPIES)

    def id(self) -> str:
        """Names this journal for ever: another one, after this was removed, has another."""
        ((value,),) = self._ask("SELECT value FROM about WHERE name = 'id'")
        return str(value)

    def last_number(self) -> int:
        """The number of the last message; 0 when there is none."""
        ((number,),) = self._ask("SELECT coalesce(max(number), 0) FROM messages")
        return int(number)

    def append(self, records: Sequence[Record], known_until: int) -> list[Record]:
        """Writes the records that are not there yet, durably.

        Args:
            records: what was read.
            known_until: the last number that this run reads from the journal itself.

        Returns:
            The records to go on with: all but those that stand in the journal up to `known_until`.
        """
        digests = [_digest(record.message) for record in records]
        rows = [
            (digest, message_id_of(raw), record.event_us, raw, source, _attributes(record.message), failure)
            for digest, record in zip(digests, records, strict=True)
            for raw, source, _, failure, _ in (record.message,)
        ]
        with self._lock, self._connection:
            before = self.last_number()
            self._connection.executemany(_INSERT + _UNLESS_THERE, rows)
            if before == self.last_number() - len(records) or known_until == 0:
                return list(records)
            known = {digest for digest in digests if self._stands_before(digest, known_until)}
        return [record for digest, record in zip(digests, records, strict=True) if digest not in known]

    def append_history(
        self,
        messages: Sequence[Message],
        message_ids: Sequence[str | None],
        event_us: int,
        turn: AbstractContextManager[object],
    ) -> None:
        """Writes messages of a history to a journal that was empty, for which `trust_sources` was called.

        Args:
            messages: what was read; copies are dropped by `make_safe`.
            message_ids: the id of each message, where it can be read.
            event_us: the time of all of them.
            turn: held while they are written: SQLite has processes look now and then whether it is theirs.
        """
        rows = [
            (_digest_of(raw), message_id, event_us, raw, source, _attributes_of(attributes), failure)
            for (raw, source, attributes, failure, _), message_id in zip(messages, message_ids, strict=True)
        ]
        with self._lock, turn, self._connection:
            self._connection.executemany(_INSERT, rows)

    def read(self, after: int, until: int, most_records: int, most_bytes: int) -> list[NumberedRecord]:
        """The next messages in order of arrival: those with after < number <= until, up to about the limits."""
        found = []
        size_bytes = 0
        query = (
            "SELECT number, event_us, raw, source, attributes, failure FROM messages "
            "WHERE number > ? AND number <= ? AND (NOT late OR failure <> '') ORDER BY number LIMIT ?"
        )
        with self._lock:
            for number, event_us, raw, source, attributes, failure in self._connection.execute(
                query, (after, until, most_records)
            ):
                message = Message(raw, source, _read_attributes(attributes), failure)
                found.append(NumberedRecord(number, Record(message, event_us)))
                size_bytes += len(raw)
                if size_bytes >= most_bytes:
                    break
        return found

    def erase(self, message_ids: Iterable[str], receipts: Mapping[str, str] | None = None) -> int:
        """Removes the messages with these ids, their bytes overwritten. Returns how many there were.

        `receipts`: what has been counted so far for each receipt of erasure, these messages among it, as JSON. It is
        kept in the same transaction: what is no longer read again has been counted, what is still there has not.
        """
        with self._lock:
            with self._connection:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO receipts VALUES (?, ?)", list((receipts or {}).items())
                )
                removed = self._connection.executemany(
                    "DELETE FROM messages WHERE message_id = ?", [(message_id,) for message_id in message_ids]
                ).rowcount
            if removed > 0:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return max(removed, 0)

    def receipts(self, published: Mapping[str, str]) -> dict[str, str]:
        """What earlier runs counted of messages that they erased, by receipt, as JSON.

        `published`: the same as their output has it. It stands for what a journal of an earlier release has not kept.
        """
        with self._lock, self._connection:
            if not self._ask("SELECT 1 FROM about WHERE name = ?", _KEEPS_RECEIPTS):
                self._connection.executemany("INSERT OR IGNORE INTO receipts VALUES (?, ?)", list(published.items()))
                self._connection.execute("INSERT INTO about VALUES (?, 'yes')", (_KEEPS_RECEIPTS,))
            return dict(self._ask("SELECT receipt_id, counts FROM receipts"))

    def erase_failed(self, failures: Iterable[ErasedFailure]) -> None:
        """Removes the messages that failed like this, their bytes overwritten.

        Where no message of that id did, those of which no id could be read are searched. A failure may know none where
        the journal does (of what was too large): then all of it is, a second for some hundred thousand messages.
        """
        with self._lock:
            with self._connection:
                unfound = [failure for failure in failures if not self._erase_where("message_id = ?", failure)]
                found = self._erase_where("message_id IS NULL", *unfound) if unfound else set()
                anywhere = [one for one in unfound if one.message_id is None and one.failure_id not in found]
                if anywhere:
                    self._erase_where("TRUE", *anywhere)
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _erase_where(self, condition: str, *failures: ErasedFailure) -> set[str]:
        """Removes the messages that failed like one of these; the ids of their failures."""
        reasons, ids = {failure.reason for failure in failures}, {failure.failure_id for failure in failures}
        found: set[str] = set()

        def is_one(raw: bytes) -> bool:
            failed = ids.intersection(failure_id(reason, raw) for reason in reasons)
            found.update(failed)
            return bool(failed)

        self._connection.create_function("is_one", 1, is_one)
        parameters = [failures[0].message_id] if "?" in condition else []
        self._connection.execute(f"DELETE FROM messages WHERE {condition} AND is_one(raw)", parameters)  # noqa: S608
        return found

    def set_late(self, failures: Iterable[Failure]) -> None:
        """Messages that failed because they came too late: another run must not take them for timely."""
        with self._lock, self._connection:
            self._connection.executemany(
                "UPDATE messages SET late = 1, failure = ? WHERE digest = ?",
                [(carried(failure), _digest_of(failure.raw)) for failure in failures],
            )

    def note_history(self, run: str, name: str) -> None:
        """A bounded input of this run was read to its end."""
        with self._lock, self._connection:
            self._connection.execute("DELETE FROM history WHERE run <> ?", (run,))
            self._connection.execute("INSERT OR IGNORE INTO history VALUES (?, ?)", (run, name))

    def count_history(self, run: str) -> int:
        """How many bounded inputs of this run were read to their end."""
        with self._lock:
            ((count,),) = self._ask("SELECT count(*) FROM history WHERE run = ?", run)
        return int(count)

    def note_watermark(self, reader: str, us: int) -> None:
        """What a reader promises: nothing before this instant is to be expected from it."""
        with self._lock, self._connection:
            self._connection.execute("INSERT OR REPLACE INTO watermarks VALUES (?, ?)", (reader, us))

    def watermarks(self) -> dict[str, int]:
        """What the readers of earlier runs have promised last."""
        with self._lock:
            return {reader: int(us) for reader, us in self._ask("SELECT reader, us FROM watermarks")}

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _stands_before(self, digest: bytes, known_until: int) -> bool:
        return bool(self._ask("SELECT 1 FROM messages WHERE digest = ? AND number <= ?", digest, known_until))

    def _ask(self, query: str, *parameters: str | int | bytes) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, parameters).fetchall()


# One connection per journal and process, shared by the readers and the writer of a job.
_OPEN: Registry[Path, Journal] = PROCESS.registry(Journal.close)


def open_journal(folder: Path) -> Journal:
    """The journal in this folder, made if there is none."""
    return _OPEN.get(folder, lambda: Journal(folder))


def _digest(message: Message) -> bytes:
    return _digest_of(message.raw)


def _digest_of(raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=_DIGEST_BYTES).digest()


def message_id_of(raw: bytes) -> str | None:
    """The message's id where it can be read; only needed for erasure, which concerns accepted events."""
    try:
        return _DECODER.decode(raw).message_id
    except Exception:  # noqa: BLE001 - whatever the decoder makes of it (deep nesting, no UTF-8): it is no event
        return None


def _read_attributes(text: str) -> dict[str, str]:
    """A message's attributes; none where a crash or a hand has left half of them: the message itself is what counts."""
    try:
        attributes = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return attributes if isinstance(attributes, dict) else {}


def _attributes(message: Message) -> str:
    return _attributes_of(message.attributes)


def _attributes_of(attributes: dict[str, str]) -> str:
    return orjson.dumps(attributes).decode() if attributes else "{}"
