"""Tells the cache what a stream's writer has written. Used by the writer's own thread, which has the tables."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.io.cache.feed import CacheFeed, monotonic_us
from pipelines.io.cache.location import CacheLocation
from pipelines.io.cache.tables import CacheTables
from pipelines.io.cache.touched import touched_profiles
from pipelines.io.duckdb.stream_database import LiveTables
from pipelines.io.outputs import Output
from schemas.update import RowUpdate


class CacheUpdates:
    """States of profiles, read from the tables right after they were written: so each is of one moment, whole.

    Args:
        location: the cache.
        output: where the tables are published.
        tables: the writer's.
    """

    def __init__(self, location: CacheLocation, output: Output, tables: LiveTables) -> None:
        self._feed = CacheFeed(location, output)
        self._tables = CacheTables(tables.connection, "work.main.")
        self._last_us = monotonic_us(0)
        self._publishing_us = self._last_us

    def add(self, updates: Iterable[RowUpdate]) -> None:
        """After the updates were written."""
        touched = touched_profiles(updates)
        if touched:
            self._feed.add(self._tables.states(touched), self._next_us())

    def begin_publishing(self) -> None:
        """The tables are published as they stand now."""
        self._publishing_us = self._next_us()

    def published(self) -> None:
        """They can be read."""
        self._feed.published(self._publishing_us)

    def fill(self) -> None:
        """What is published from now on replaces all that the cache has."""
        self._feed.fill(self._next_us())

    def close(self) -> None:
        self._feed.close()

    def _next_us(self) -> int:
        self._last_us = monotonic_us(self._last_us)
        return self._last_us
