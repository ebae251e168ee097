"""What a source was pulled before: how far, and which version of each row was made an event. One SQLite file.

A version is noted before its event is sent, and confirmed when it is safe. So after a crash at any point the next pull
knows every event that may have been sent, and takes back those that are no longer right.

| table | holds |
| --- | --- |
| `versions` | row_id, version, its order, the event's timestamp, its standing: noted, safe, or past |
| `cursor` | one row: the latest change that was read, microseconds since the epoch |
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from transforms.pull.news import KnownVersion, Standing
from transforms.pull.versions import Version

_LAYOUT = """
    CREATE TABLE IF NOT EXISTS versions (
        row_id TEXT NOT NULL, version TEXT NOT NULL, position INTEGER, timestamp TEXT NOT NULL,
        standing INTEGER NOT NULL, PRIMARY KEY (row_id, version)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS cursor (one INTEGER PRIMARY KEY CHECK (one = 1), source TEXT, changed_us INTEGER);
"""
_ASKED_AT_ONCE = 500


class StateError(Exception):
    """The state cannot be used, and why."""


class PullState:
    """The state of one source. One process at a time.

    Args:
        path: the file; it is made when it is missing.
        source: the source's name; the state of another one is refused.

    Raises:
        StateError: it is none, another source's, or another pull is using it.
    """

    def __init__(self, path: Path, source: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(path)
        try:
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(_LAYOUT)
            self._connection.execute("INSERT OR IGNORE INTO cursor VALUES (1, ?, NULL)", (source,))
            ((of, cursor_us),) = self._connection.execute("SELECT source, changed_us FROM cursor").fetchall()
            self._cursor_us: int | None = cursor_us
        except sqlite3.Error as error:
            self._lock.close()
            raise StateError(f"--state {path}: is no state of a pull: {error}") from error
        if of != source:
            self.close()
            raise StateError(f"--state {path}: is the state of the source {of!r}, expected that of {source!r}")

    @property
    def cursor_us(self) -> int | None:
        """How far it was pulled."""
        return self._cursor_us

    def known(self, row_ids: Sequence[str]) -> dict[str, list[KnownVersion]]:
        """Of each row, every version whose event may have been sent."""
        found: dict[str, list[KnownVersion]] = {}
        for place in range(0, len(row_ids), _ASKED_AT_ONCE):
            some = row_ids[place : place + _ASKED_AT_ONCE]
            marks = ", ".join("?" * len(some))
            rows = self._connection.execute(
                "SELECT row_id, version, position, timestamp, standing FROM versions "  # noqa: S608 - question marks
                f"WHERE row_id IN ({marks})",
                some,
            )
            for *version, standing in rows:
                found.setdefault(version[0], []).append(KnownVersion(Version(*version), Standing(standing)))
        return found

    def note(self, versions: Iterable[Version]) -> None:
        """Before their events are sent."""
        rows = [(one.row_id, one.version, one.order, one.timestamp) for one in versions]
        with self._transaction():
            self._connection.executemany("INSERT OR IGNORE INTO versions VALUES (?, ?, ?, ?, 0)", rows)

    def confirm(self, sent: Iterable[Version], past: Iterable[Version]) -> None:
        """After their events, and those that take back what is past, are safe."""
        with self._transaction():
            self._connection.executemany(
                "UPDATE versions SET standing = ? WHERE row_id = ? AND version = ?",
                [
                    *((Standing.SAFE, one.row_id, one.version) for one in sent),
                    *((Standing.PAST, one.row_id, one.version) for one in past),
                ],
            )

    def advance(self, cursor_us: int | None) -> None:
        """After all pages have been read, and what they held is safe."""
        self._connection.execute("UPDATE cursor SET changed_us = ?", (cursor_us,))
        self._cursor_us = cursor_us

    def close(self) -> None:
        self._connection.close()
        self._lock.close()

    def _transaction(self) -> _Transaction:
        return _Transaction(self._connection)


class _Transaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, _error: object, _trace: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")


def _locked(path: Path) -> IO[str]:
    lock = path.with_name(path.name + ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise StateError(f"--state {path}: another pull is using it") from None
    return lock
