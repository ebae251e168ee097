"""What a local output holds that its readers do not see yet, for metrics: how many rows, and since when."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable

from pipelines.io.stream.source import now_us
from schemas.update import RowUpdate
from transforms.counting import count_rows


class Written:
    """Notes updates when they are given to the writer, and counts them when they are in the output. Thread-safe.

    Args:
        clock: microseconds since the epoch.
    """

    def __init__(self, clock: Callable[[], int] = now_us) -> None:
        self._clock = clock
        self._held: Counter[int] = Counter()
        self._tables: Counter[str] = Counter()
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
                self._tables[update.table] += 1
            self._held = +self._held

    def note(self, table: str, rows: int) -> None:
        """Rows of a table have been written at once, which follow from what came in long ago."""
        with self._lock:
            self._tables[table] += rows

    def publish(self) -> None:
        """What was written is in the output."""
        with self._lock:
            tables, self._tables = self._tables, Counter()
            came_us, self._unpublished = self._unpublished, Counter()
        count_rows(tables, came_us, self._clock())

    def waiting_since_us(self) -> int:
        """When that came in whose rows wait longest, microseconds since the epoch; 0: none wait."""
        with self._lock:
            return min((came_us for came_us in (*self._held, *self._unpublished) if came_us), default=0)
