"""What a local output holds and since when, for metrics: rows by table, their lags, the oldest that nobody sees yet.

The writer has a thread of its own, in which Beam counts nothing; so it counts itself, under the names of the others.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pipelines.io.stream.source import now_us
from schemas.update import RowUpdate
from transforms.lag import LAG_MILLISECONDS, ROWS_WRITTEN, lag_counts, lag_us


class WrittenNumbers(NamedTuple):
    """Counters by the names of `transforms/lag.py`, and since when the oldest row waits that is not in the output.

    `waiting_since_us` is when that came in from which the row follows, microseconds since the epoch; 0: none waits.
    """

    counters: Counter[str]
    waiting_since_us: int


class Written:
    """Notes updates when they are given to the writer, and that they are in the output. Thread-safe.

    Args:
        clock: microseconds since the epoch.
    """

    def __init__(self, clock: Callable[[], int] = now_us) -> None:
        self._clock = clock
        self._counters: Counter[str] = Counter()
        self._held: Counter[int] = Counter()
        self._unpublished: Counter[int] = Counter()
        self._lock = threading.Lock()

    def hold(self, updates: Iterable[RowUpdate]) -> None:
        """Updates wait to be written."""
        with self._lock:
            self._held.update(update.came_us for update in updates)

    def write(self, updates: Iterable[RowUpdate]) -> None:
        """Some of those have been written, to where readers do not look yet."""
        with self._lock:
            for update in updates:
                self._held[update.came_us] -= 1
                self._unpublished[update.came_us] += 1
                self._counters[ROWS_WRITTEN + update.table] += 1
            self._held = +self._held

    def publish(self) -> None:
        """What was written is in the output."""
        now = self._clock()
        with self._lock:
            self._counters += lag_counts(self._unpublished, now)
            late_us = sum(lag_us(came_us, now) * rows for came_us, rows in self._unpublished.items() if came_us)
            self._counters[LAG_MILLISECONDS] += round(late_us / 1_000)
            self._unpublished.clear()

    def numbers(self) -> WrittenNumbers:
        """What there is to tell now."""
        with self._lock:
            came = [came_us for came_us in (*self._held, *self._unpublished) if came_us]
            return WrittenNumbers(Counter(self._counters), min(came, default=0))
