"""Questions about single people to a job's tables, while the job goes on writing them.

A job replaces its output as a whole: a look-up that finds another one opens it. For one thread.
"""

from __future__ import annotations

# ruff: noqa: S608 - statements are made of our own texts; what is asked for goes in as values
import contextlib
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson

from pipelines.io.cache.layout import candidates
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, Output, StoreOutput
from pipelines.io.tables.query import open_tables
from schemas.errors import OutputError
from schemas.instants import instant_text
from schemas.tables import IDENTITY_LINKS, MEMBERSHIP_CHANGES, MEMBERSHIPS, PROFILES

LOOKED_AT = (PROFILES, MEMBERSHIPS, IDENTITY_LINKS, MEMBERSHIP_CHANGES)
_COPY_SECONDS = 60
"""How old a copy of tables on other machines may be."""
_JSON = ("traits", "computed")
_AT = (
    "entered_at <= make_timestamptz(?) AND (exited_at > make_timestamptz(?) "
    "OR (exited_at IS NULL AND (expires_at IS NULL OR expires_at > make_timestamptz(?))))"
)
Row = dict[str, Any]


class TablesAwayError(Exception):
    """There is nothing to read: no job has written it yet, or it is being moved."""


class LiveTables:
    """An output's tables as they are now."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._version: object = None
        self._open = contextlib.ExitStack()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def version(self) -> object:
        """Changes when the output does; None: there is none."""
        if isinstance(self._output, BigQueryOutput | StoreOutput):
            return int(time.monotonic() / _COPY_SECONDS)
        path = Path(self._output.path if isinstance(self._output, DuckDBOutput) else self._output.directory)
        try:
            found = path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A connection to the newest tables.

        Raises:
            TablesAwayError: there are none.
        """
        version = self.version()
        if self._connection is None or version != self._version:
            self.close()
            try:
                self._connection = self._open.enter_context(open_tables(self._output, LOOKED_AT))
            except (OutputError, duckdb.Error) as error:
                raise TablesAwayError(type(error).__name__) from None
            self._version = version
        return self._connection

    def ask(self, query: str, values: Sequence[object] = ()) -> list[Row]:
        """The rows of an answer, by column; once more where the output was replaced meanwhile.

        Raises:
            TablesAwayError: there are no tables.
        """
        for is_last in (False, True):
            try:
                found = self.connection().execute(query, list(values))
                names = [column[0] for column in found.description or ()]
                return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
            except duckdb.Error as error:
                self.close()
                if is_last:
                    raise TablesAwayError(type(error).__name__) from None
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Lets go of the files."""
        self._connection = None
        self._open.close()


class Lookups:
    """Profiles, their segments, and segments' members. Instants are microseconds since the epoch, UTC."""

    def __init__(self, output: Output) -> None:
        self._tables = LiveTables(output)

    def resolve(self, identifier: str) -> str | None:
        """The profile that an identifier stands for now: a profile id, a user id or an anonymous id.

        Of a device it is the user of its latest link; of a merged profile the one that took its events.
        """
        for candidate in candidates(identifier):
            found = self._linked(candidate) or self._own(candidate)
            if found is not None:
                return found
        return None

    def profile(self, identifier: str, now_us: int) -> Row | None:
        """The row of a profile as JSON has it; `segments` without those that have expired. None: nobody."""
        profile_id = self.resolve(identifier)
        if profile_id is None:
            return None
        rows = self._tables.ask("SELECT * FROM profiles WHERE profile_id = ?", [profile_id])
        if not rows:
            return None
        segments = [one["segment"] for one in self._segments(profile_id, now_us)]
        return {**{name: _plain(name, value) for name, value in rows[0].items()}, "segments": segments}

    def segments(self, identifier: str, now_us: int) -> tuple[str, list[Row]] | None:
        """A profile's id, and what it is a member of now, by name. None: nobody."""
        profile_id = self.resolve(identifier)
        return None if profile_id is None else (profile_id, self._segments(profile_id, now_us))

    def members(self, segment: str, at_us: int, after: str, limit: int) -> list[Row]:
        """At most `limit` members of a segment at an instant, of those whose profile id comes after `after`."""
        query = (
            "SELECT profile_id, max(entered_at) AS entered_at, any_value(expires_at) AS expires_at FROM memberships "
            f"WHERE segment = ? AND profile_id > ? AND {_AT} GROUP BY profile_id ORDER BY profile_id LIMIT ?"
        )
        return _shown(self._tables.ask(query, [segment, after, at_us, at_us, at_us, limit]))

    def check(self) -> str:
        """Nothing if there are tables, else why not."""
        try:
            self._tables.connection()
        except TablesAwayError:
            return "there are no tables yet"
        return ""

    def close(self) -> None:
        """Lets go of the files."""
        self._tables.close()

    def _segments(self, profile_id: str, now_us: int) -> list[Row]:
        query = (
            f"SELECT segment, entered_at, expires_at FROM memberships WHERE profile_id = ? AND {_AT} ORDER BY segment"
        )
        return _shown(self._tables.ask(query, [profile_id, now_us, now_us, now_us]))

    def _linked(self, candidate: str) -> str | None:
        kind, _, name = candidate.partition(":")
        if kind != "anon":
            return None
        query = (
            "SELECT user_id FROM identity_links WHERE anonymous_id = ? "
            'ORDER BY "timestamp" DESC, message_id DESC LIMIT 1'
        )
        links = self._tables.ask(query, [name])
        return self._own(f"user:{links[0]['user_id']}") if links else None

    def _own(self, candidate: str) -> str | None:
        query = "SELECT coalesce(merged_into, profile_id) AS profile_id FROM profiles WHERE profile_id = ?"
        rows = self._tables.ask(query, [candidate])
        return str(rows[0]["profile_id"]) if rows else None


class ChangeFeed:
    """What is new in `membership_changes`, once. Remembers the ids of what was there, 64 bits each."""

    def __init__(self, output: Output) -> None:
        self._tables = LiveTables(output)
        self._seen: set[int] | None = None
        self._version: object = None

    def news(self) -> list[Row]:
        """The changes that were written since it was asked last; the first time nothing.

        Raises:
            TablesAwayError: there are no tables.
        """
        version = self._tables.version()
        if version is None:
            self._seen = set() if self._seen is None else self._seen  # what comes first is new then
            return []
        if version == self._version and self._seen is not None:
            return []
        found = self._tables.ask("SELECT hash(change_id) AS id, change_id FROM membership_changes")
        self._version = version
        ids = {row["id"]: row["change_id"] for row in found}
        seen, self._seen = self._seen, set(ids)
        if seen is None:
            return []
        new = [change_id for one, change_id in ids.items() if one not in seen]
        if not new:
            return []
        query = (
            "SELECT * FROM membership_changes WHERE change_id IN (SELECT unnest(?)) "
            'ORDER BY recorded_at, "at", change_id'
        )
        return _shown(self._tables.ask(query, [new]))

    def since(self, recorded_us: int, limit: int) -> list[Row]:
        """The first changes that were written after an instant."""
        query = (
            "SELECT * FROM membership_changes WHERE recorded_at > make_timestamptz(?) "
            'ORDER BY recorded_at, "at", change_id LIMIT ?'
        )
        return _shown(self._tables.ask(query, [recorded_us, limit]))

    def close(self) -> None:
        """Lets go of the files."""
        self._tables.close()


def _shown(rows: list[Row]) -> list[Row]:
    return [{name: _plain(name, value) for name, value in row.items()} for row in rows]


def _plain(name: str, value: Any) -> Any:
    """A column's value as JSON has it."""
    if isinstance(value, datetime):
        since = value.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return instant_text((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)
    if isinstance(value, date):
        return value.isoformat()
    if name in _JSON and isinstance(value, str):
        return orjson.loads(value)
    return value
