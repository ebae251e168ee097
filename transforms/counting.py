"""The counters of a job. Names of events and columns occur in them, values of data never do.

What is counted goes to Beam, whose runner adds it up, and is added up in the process itself: a local stream runs in the
process that started it, and its runner (Prism) tells the counters of a running job late and in part.
"""

import os
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from schemas.tracking_plan import EVENT_TYPES
from transforms.lag import LAG_MILLISECONDS, ROWS_WRITTEN, lag_counts, lag_us
from transforms.numbers import Numbers, Spread
from transforms.parse import EventParser
from transforms.state.process import PROCESS, Registry

NAMESPACE = "tidemark"
READ = "events_read"
RETRACTED = "events_retracted"
"""Events that a retract took out, and the retracts."""
ACCEPTED = "events_accepted"
DUPLICATE = "events_duplicate"
ERASED = "events_erased"
FAILED = "events_failed:"
"""And the reason. READ is the sum of ACCEPTED, DUPLICATE, ERASED, RETRACTED and all of these."""
PROFILES = "profiles_built"
RANGES = "ranges_read"
UNPLANNED = "unplanned:"
DROPPED = "dropped:"
"""And an event's name and the path of a property that broke its schema and was left out."""
NOT_NORMALISED = "not_normalised:"
MESSAGES_READ = "messages_read:"
"""And the input: its kind, and which of the `--input`s it is, such as `kafka-1`."""
ARCHIVED = "archived:"
DISCARDED = "discarded:"
"""And the cell: events and links that it has left behind, to be kept elsewhere or gone for good."""
LOG_BYTES = "log_bytes:"
CELL_BYTES = "cell_bytes:"
"""And the cell: distributions of the bytes of a shelf's log, and of a cell on it."""

PROGRESS_FOLDER = "TIDEMARK_PROGRESS_FOLDER"
"""Environment variable of a local job and its workers: the folder in which they say how far they are."""
_OTHER = "other"
_NO_PROGRESS = (UNPLANNED, DROPPED, NOT_NORMALISED)


class _Tally:
    """What this process has counted. Thread-safe."""

    def __init__(self) -> None:
        self._counters: Counter[str] = Counter()
        self._spreads: dict[str, Spread] = {}
        self._lock = threading.Lock()

    def add(self, name: str, by: int) -> None:
        with self._lock:
            self._counters[name] += by

    def observe(self, name: str, value: int, times: int) -> None:
        with self._lock:
            self._spreads[name] = self._spreads.get(name, Spread()).with_value(value, times)

    def numbers(self) -> Numbers:
        with self._lock:
            return Numbers(Counter(self._counters), dict(self._spreads))


_TALLIES: Registry[str, _Tally] = PROCESS.registry()


def _tally() -> _Tally:
    return _TALLIES.get(NAMESPACE, _Tally)


def counted_here() -> Numbers:
    """What this process has counted, for all jobs that it works for."""
    return _tally().numbers()


def begin_counting() -> None:
    """Forgets what this process has counted, for a job that begins in it."""
    _TALLIES.take(NAMESPACE)


def count(name: str, by: int = 1) -> None:
    """Adds to a counter of the job. Called once for many events, never once for each."""
    if by:
        from apache_beam.metrics import Metrics  # only who counts needs Beam, not who asks for a counter's name

        Metrics.counter(NAMESPACE, name).inc(by)
        _tally().add(name, by)
        folder = os.environ.get(PROGRESS_FOLDER)
        if folder and not name.startswith(_NO_PROGRESS):
            # Local runners tell counters only at the end. A short line is appended whole, also by threads.
            with Path(folder, str(os.getpid())).open("a") as file:
                file.write(f"{name} {by}\n")


def observe(name: str, value: int, times: int = 1) -> None:
    """Adds a value to a distribution of the job, as often as it occurs."""
    from apache_beam.metrics import Metrics

    distribution = Metrics.distribution(NAMESPACE, name)
    for _ in range(times):
        distribution.update(value)
    _tally().observe(name, value, times)


def count_names(counts: dict[str, int], prefix: str) -> None:
    """Adds what was counted by name to the job's counters, and forgets it."""
    for name, occurrences in counts.items():
        count(prefix + name, occurrences)
    counts.clear()


def count_parsed(parser: EventParser) -> None:
    """Adds what a parser has counted by name, where it may tell names; else as `other`, and by event."""
    if parser.tells_names:
        count_names(parser.unplanned_counts, UNPLANNED)
        count_names(parser.dropped_counts, DROPPED)
        return
    count(UNPLANNED + _OTHER, sum(parser.unplanned_counts.values()))
    parser.unplanned_counts.clear()
    planned = {*parser.planned_names(), *EVENT_TYPES}
    for name, number in parser.dropped_counts.items():
        event = name.partition(": ")[0]
        count(DROPPED + (event if event in planned else _OTHER), number)
    parser.dropped_counts.clear()


def count_rows(tables: Mapping[str, int], came_us: Mapping[int, int], now_us: int) -> None:
    """Adds rows that are in the output now, and how late they are.

    Args:
        tables: how many, by table.
        came_us: when that came in from which they follow, microseconds since the epoch -> how many; 0: it did not.
        now_us: the present.
    """
    for table, number in tables.items():
        count(ROWS_WRITTEN + table, number)
    for name, number in lag_counts(came_us, now_us).items():
        count(name, number)
    for at_us, number in came_us.items():
        if at_us:
            observe(LAG_MILLISECONDS, lag_us(at_us, now_us) // 1_000, number)
