"""Keeps the cache right while a stream writes its tables. A thread of its own: Redis being away holds nobody up.

| what happens | what follows |
| --- | --- |
| rows were written | the states of their profiles wait, the newest of each, and are sent |
| Redis does not answer | it is told once; what waits goes on waiting, and is sent when Redis is back |
| too much waits | it is let go of, and the cache is filled from the next tables that are published |
| the cache lost its data | the same |
| the job starts, or its history is through | the same |
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable

import duckdb
import redis

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.cache.fill import fill_with
from pipelines.io.cache.layout import Entry
from pipelines.io.cache.location import CacheLocation
from pipelines.io.cache.writer import CacheWriter, LostError, connect
from pipelines.io.outputs import Output
from schemas.errors import OutputError

MOST_WAITING = 200_000
"""Profiles whose state waits, at most."""
CHECK_SECONDS = 2.0
"""How often a quiet cache is asked whether it has its data still."""
LONGEST_PAUSE_SECONDS = 10.0
CLOSE_SECONDS = 5.0


class CacheFeed:
    """What a stream tells the cache.

    Args:
        location: the cache.
        output: where the tables are published.
        make_client: makes the client, once.
        tell: is told when the cache is away, and when it is back.
    """

    def __init__(
        self,
        location: CacheLocation,
        output: Output,
        make_client: Callable[[CacheLocation], redis.Redis] = connect,
        tell: Callable[[str], object] | None = None,
    ) -> None:
        self._location = location
        self._output = output
        self._client = make_client(location)
        self._writer = CacheWriter(self._client)
        self._say = tell or _say
        self._waiting: dict[str, tuple[Entry, int]] = {}
        self._published_us: int | None = None
        self._fill_from_us: int | None = 0
        self._latest_us = 0
        self._lock = threading.Lock()
        self._work = threading.Event()
        self._stop = threading.Event()
        self._is_away = False
        self._thread = threading.Thread(target=self._run, name="tidemark-cache", daemon=True)
        self._thread.start()

    def add(self, entries: Iterable[Entry], at_us: int) -> None:
        """Profiles as they stood at an instant; of each the latest is sent."""
        new = {entry.profile_id: (entry, at_us) for entry in entries}
        with self._lock:
            self._waiting.update(new)
            self._latest_us = at_us
            if len(self._waiting) > MOST_WAITING:
                self._waiting.clear()
                self._fill_from_us = at_us
        self._work.set()

    def published(self, at_us: int) -> None:
        """The tables can be read as they stood at an instant."""
        with self._lock:
            self._published_us = at_us
        self._work.set()

    def fill(self, at_us: int) -> None:
        """Has the cache filled from the first tables that are published at or after an instant."""
        with self._lock:
            self._fill_from_us = at_us
        self._work.set()

    def close(self) -> None:
        """Sends what waits, if Redis takes it within five seconds."""
        self._stop.set()
        self._work.set()
        self._thread.join(CLOSE_SECONDS)
        left = len(self._waiting)
        if left or self._is_away:
            self._say(f"{self._location}: {left:,} profiles could not be told; the next start fills it")
        self._client.close()

    def _run(self) -> None:
        pause = 1.0
        while True:
            is_last = self._stop.is_set()
            try:
                self._tell()
                self._say_back()
                pause = 1.0
            except (redis.RedisError, LostError, OutputError, BigQueryError, duckdb.Error) as error:
                self._say_away(error)
                if is_last:
                    return
                self._stop.wait(pause)
                pause = min(LONGEST_PAUSE_SECONDS, 2 * pause)
                continue
            if is_last:
                return
            self._work.wait(CHECK_SECONDS)
            self._work.clear()

    def _tell(self) -> None:
        """Fills the cache if it must be, then sends what waits."""
        is_ready = self._writer.is_ready()  # asked first: while the cache is away, nobody reads the tables for it
        if self._fill_from_us is None and not is_ready:
            self._note_loss()
        with self._lock:
            fill_from, published = self._fill_from_us, self._published_us
        if fill_from is not None and published is not None and published >= fill_from:
            try:
                fill_with(self._writer, self._output, published)
            except LostError:
                self._note_loss()
                raise
            with self._lock:
                if self._fill_from_us is not None and self._fill_from_us <= published:
                    self._fill_from_us = None
        self._send_waiting()

    def _note_loss(self) -> None:
        """What was sent is gone: it must be in the tables that the cache is filled from."""
        with self._lock:
            self._fill_from_us = max(self._fill_from_us or 0, self._latest_us)

    def _send_waiting(self) -> None:
        with self._lock:
            taken, self._waiting = self._waiting, {}
        by_time: dict[int, list[Entry]] = {}
        for entry, at_us in taken.values():
            by_time.setdefault(at_us, []).append(entry)
        try:
            for at_us, entries in by_time.items():
                self._writer.write(entries, at_us)
        except redis.RedisError:
            with self._lock:  # what came meanwhile is newer
                self._waiting = {**taken, **self._waiting}
            raise

    def _say_away(self, error: Exception) -> None:
        if not self._is_away:
            self._is_away = True
            reason = type(error).__name__
            self._say(f"{self._location} does not take what is written ({reason}); it is made up for later")

    def _say_back(self) -> None:
        if self._is_away:
            self._is_away = False
            self._say(f"{self._location} is back, and up to date")


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # whatever that is now: a running job's is not what logging began with


def monotonic_us(last_us: int) -> int:
    """The present, microseconds since the epoch, but after an instant: versions grow, whatever the clock does."""
    return max(last_us + 1, time.time_ns() // 1_000)
