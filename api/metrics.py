"""Counters for Prometheus: what was asked for and answered, nothing of whom. One row of numbers per worker process.

Each process adds to its own row of one shared array, without locks; whoever is asked sums the rows.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, MutableSequence, Sequence
from typing import Final

STATUSES: Final = (101, 200, 204, 400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 500, 503)
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_SINGLES: Final = {
    "events": ("tidemark_api_events_total", "Events that were made safe."),
    "event_bytes": ("tidemark_api_event_bytes_total", "Bytes of the events that were made safe."),
    "groups": ("tidemark_api_groups_total", "Writes that made events safe; many requests share one."),
    "group_seconds": ("tidemark_api_group_seconds_total", "Seconds that those writes took."),
    "pixel_errors": ("tidemark_api_pixel_errors_total", "Pixels answered with an image that held no event to keep."),
    "live_changes": ("tidemark_api_live_changes_total", "Changes told over WebSockets."),
    "live_dropped": ("tidemark_api_live_dropped_total", "WebSockets closed for reading too slowly."),
}


class Metrics:
    """Counters of one process among several.

    Args:
        routes: the names of the routes.
        array: the numbers of all processes, `size(routes)` each.
        row: which of them are this process's.
    """

    def __init__(self, routes: Sequence[str], array: MutableSequence[float] | None = None, row: int = 0) -> None:
        self._routes = {name: number for number, name in enumerate(routes)}
        self._size = self.size(routes)
        self._array: MutableSequence[float] = [0.0] * self._size if array is None else array
        self._start = row * self._size % len(self._array)
        self._statuses = {status: number for number, status in enumerate(STATUSES)}
        self._singles = {name: number for number, name in enumerate(_SINGLES)}

    @staticmethod
    def size(routes: Sequence[str]) -> int:
        """How many numbers a process needs."""
        return len(_SINGLES) + len(routes) * (len(STATUSES) + len(SECONDS) + 2)

    def add(self, name: str, number: float = 1.0) -> None:
        """Adds to one of the single counters."""
        self._array[self._start + self._singles[name]] += number

    def took(self, events: int, size_bytes: int, seconds: float) -> None:
        """Counts a group that is safe."""
        self.add("events", events)
        self.add("event_bytes", size_bytes)
        self.add("groups")
        self.add("group_seconds", seconds)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Counts a request."""
        place = self._start + self._place(self._routes[route])
        self._array[place + self._statuses.get(status, self._statuses[500])] += 1
        place += len(STATUSES)
        self._array[place + bisect.bisect_left(SECONDS, seconds)] += 1
        self._array[place + len(SECONDS) + 1] += seconds

    def _place(self, route: int) -> int:
        return len(_SINGLES) + route * (len(STATUSES) + len(SECONDS) + 2)

    def text(self) -> bytes:
        """All of it, in Prometheus's text format."""
        rows = range(0, len(self._array), self._size)
        total = [sum(self._array[row + place] for row in rows) for place in range(self._size)]
        return "\n".join(self._lines(total)).encode() + b"\n"

    def _lines(self, total: list[float]) -> Iterator[str]:
        for name, (metric, what) in _SINGLES.items():
            yield from (f"# HELP {metric} {what}", f"# TYPE {metric} counter")
            yield f"{metric} {total[self._singles[name]]:.12g}"
        yield from ("# HELP tidemark_api_requests_total Requests by route and status.",)
        yield "# TYPE tidemark_api_requests_total counter"
        for route, number in self._routes.items():
            for status, place in self._statuses.items():
                if count := total[self._place(number) + place]:
                    yield f'tidemark_api_requests_total{{route="{route}",status="{status}"}} {count:.12g}'
        yield "# HELP tidemark_api_request_seconds How long requests took, from their first byte to their answer."
        yield "# TYPE tidemark_api_request_seconds histogram"
        for route, number in self._routes.items():
            yield from self._histogram(route, total[self._place(number) + len(STATUSES) :])

    @staticmethod
    def _histogram(route: str, numbers: Sequence[float]) -> Iterator[str]:
        counts = list(itertools.accumulate(numbers[: len(SECONDS) + 1]))
        if not counts[-1]:
            return
        for limit, count in zip((*map(str, SECONDS), "+Inf"), counts, strict=True):
            yield f'tidemark_api_request_seconds_bucket{{route="{route}",le="{limit}"}} {count:.12g}'
        yield f'tidemark_api_request_seconds_sum{{route="{route}"}} {numbers[len(SECONDS) + 1]:.9g}'
        yield f'tidemark_api_request_seconds_count{{route="{route}"}} {counts[-1]:.12g}'
