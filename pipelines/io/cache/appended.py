"""Tells the cache what a stream has appended to BigQuery. A thread of its own: neither being away holds the stream up.

The writer of a local output reads states from its own tables (duckdb/cache_updates.py). Here the tables are BigQuery's,
and the rows of a profile may come from any worker. So whoever appended rows asks for the states of their profiles a
moment later, all of that moment in one query. The instant before the query is the version: who asks later knows more.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.cache.feed import MOST_WAITING, CacheFeed, monotonic_us
from pipelines.io.cache.layout import Entry
from pipelines.io.cache.location import CacheLocation
from pipelines.io.cache.tables import bigquery_states, entries_of
from pipelines.io.outputs import BigQueryOutput
from transforms.state.process import PROCESS, Registry

ASK_EVERY_SECONDS = 2.0
"""How long changes are gathered before BigQuery is asked: a query costs the same for one profile or for many."""
LONGEST_PAUSE_SECONDS = 60.0
CLOSE_SECONDS = 30.0


class AppendedUpdates:
    """What the stream of this process tells the cache.

    Args:
        output: the dataset.
        feed: sends states to the cache.
        ask: the states of profiles now; by default BigQuery's.
        every_seconds: how long changes are gathered.
    """

    def __init__(
        self,
        output: BigQueryOutput,
        feed: CacheFeed,
        ask: Callable[[Iterable[str]], list[Entry]] | None = None,
        every_seconds: float = ASK_EVERY_SECONDS,
    ) -> None:
        self._output = output
        self._feed = feed
        self._ask = ask or (lambda touched: ask_states(output, touched))
        self._every_seconds = every_seconds
        self._touched: set[str] = set()
        self._lock = threading.Lock()
        self._work, self._stop = threading.Event(), threading.Event()
        self._is_away = False
        self._last_us = monotonic_us(0)
        feed.published(self._last_us)  # what is in the tables already fills the cache
        self._thread = threading.Thread(target=self._run, name="tidemark-cache-states", daemon=True)
        self._thread.start()

    def add(self, touched: Iterable[str]) -> None:
        """Rows of these profiles have been appended."""
        with self._lock:
            self._touched.update(touched)
        self._work.set()

    def close(self) -> None:
        """Asks for what is left, once, and sends it."""
        self._stop.set()
        self._work.set()
        self._thread.join(CLOSE_SECONDS)
        if self._touched:
            print(f"{len(self._touched):,} profiles are not in the cache yet; the next start fills it", file=sys.stderr)
        self._feed.close()

    def _run(self) -> None:
        pause = self._every_seconds
        while not self._stop.is_set():
            self._work.wait()
            self._stop.wait(pause)
            self._work.clear()
            pause = self._every_seconds if self._tell() else min(LONGEST_PAUSE_SECONDS, 2 * pause)
            if self._is_away:
                self._work.set()
        self._tell()

    def _tell(self) -> bool:
        with self._lock:
            touched, self._touched = self._touched, set()
        if not touched:
            return True
        self._last_us = at_us = monotonic_us(self._last_us)
        try:
            if len(touched) <= MOST_WAITING:
                self._feed.add(self._ask(touched), at_us)
            else:
                self._feed.fill(at_us)
        except BigQueryError as error:
            with self._lock:
                self._touched |= touched
            if not self._is_away:
                print(f"{self._output} does not tell what the cache needs: {error}", file=sys.stderr)
            self._is_away = True
            return False
        self._is_away = False
        self._feed.published(at_us)
        return True


def ask_states(output: BigQueryOutput, touched: Iterable[str]) -> list[Entry]:
    """The states of profiles, and of whom their identifiers concern.

    Raises:
        BigQueryError: BigQuery cannot be asked.
    """
    from google.cloud import bigquery

    from pipelines.io.bigquery.read import ask

    parameters = [bigquery.ArrayQueryParameter("touched", "STRING", sorted(touched))]
    statement = bigquery_states(output.project, output.dataset)
    return list(entries_of(ask(output.project, "read states for the cache", statement, parameters)))


_OPEN: Registry[tuple[str, CacheLocation], AppendedUpdates] = PROCESS.registry(AppendedUpdates.close, at_exit=True)


def open_appended(output: BigQueryOutput, location: CacheLocation) -> AppendedUpdates:
    """This process's, which all its bundles share."""
    return _OPEN.get((str(output), location), lambda: AppendedUpdates(output, CacheFeed(location, output)))
