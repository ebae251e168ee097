"""The metrics of a job by the names that others watch: what Prometheus reads, and which of Beam's counters it is.

`METRICS` is the one list; docs/metrics.md says the same, and a test compares them. Names and labels are a contract with
dashboards and alerts. No label can have a value that is not from a closed list: names of events come from the tracking
plan, those of causes, tables and cells from the code; anything else is `other`. So no person is in them, and they are
bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final, Literal, NamedTuple

from schemas.failure_reasons import REASONS
from schemas.tables import PROFILES, TABLES
from schemas.tracking_plan import EVENT_TYPES
from transforms import counting
from transforms.lag import LAG_BUCKET, LAG_MILLISECONDS, LAG_SECONDS, ROWS_WRITTEN
from transforms.numbers import Numbers, Spread

Kind = Literal["counter", "gauge", "histogram", "summary"]
OTHER: Final = "other"
CELLS: Final = (
    *("MessageIdCell", "NameCell", "RegistryCell", "LinkIndexCell", "DeviceCell", "UserCell", "ProfileCell"),
    *("AccountCell", "ReceiptCell", "RetractionCell", "FailureCell"),
)
_OUTCOMES: Final = {
    counting.ACCEPTED: "accepted",
    counting.DUPLICATE: "duplicate",
    counting.ERASED: "erased",
    counting.RETRACTED: "retracted",
}


class Metric(NamedTuple):
    """One metric.

    Attributes:
        name: Prometheus's. A counter's ends in `_total`.
        kind: a gauge where the number may fall again.
        labels: their names.
        what: it says, one line.
        beam: Beam's name of it, or the beginning of the names, which ends in a colon; "" for what Beam does not count.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    what: str
    beam: tuple[str, ...] = ()


MESSAGES_READ = Metric(
    *("tidemark_messages_read_total", "counter", ("source",), "Messages that inputs without end have given."),
    (counting.MESSAGES_READ,),
)
EVENTS_READ = Metric("tidemark_events_read_total", "counter", (), "Records that were parsed.", (counting.READ,))
EVENTS = Metric(
    *("tidemark_events", "gauge", ("outcome",), "What has become of them; falls where one is retracted or erased."),
    (*_OUTCOMES, counting.FAILED),
)
FAILED = Metric(
    *("tidemark_failed_events", "gauge", ("reason",), "Failed events, by the reason in `failed_events`."),
    (counting.FAILED,),
)
UNPLANNED = Metric(
    "tidemark_unplanned_events_total", "counter", (), "Track events that no schema names.", (counting.UNPLANNED,)
)
DROPPED = Metric(
    *("tidemark_dropped_properties_total", "counter", ("event",), "Properties left out since they break their schema."),
    (counting.DROPPED,),
)
UNREADABLE = Metric(
    *("tidemark_unreadable_traits_total", "counter", ("column",), "Profiles with a trait that its column cannot hold."),
    (counting.NOT_NORMALISED,),
)
PROFILES_BUILT = Metric("tidemark_profiles", "gauge", (), "Profiles that there are.", (counting.PROFILES,))
PARTS_READ = Metric("tidemark_parts_read_total", "counter", (), "Parts of bounded inputs read.", (counting.RANGES,))
ROWS = Metric("tidemark_rows_written_total", "counter", ("table",), "Rows that a stream has written.", (ROWS_WRITTEN,))
LAG = Metric(
    *("tidemark_row_lag_seconds", "histogram", ()),
    "From an event's coming in to its rows being in the output, once for each row.",
    (LAG_BUCKET, LAG_MILLISECONDS),
)
OLDEST = Metric(
    *("tidemark_oldest_unwritten_seconds", "gauge", ()),
    "How long ago that came in whose rows a local output has had longest without showing them; 0: all are shown.",
)
LEFT_BEHIND = Metric(
    *("tidemark_left_behind_total", "counter", ("cell", "to")),
    "Events and links that cells have left behind: to the archive, or to nowhere.",
    (counting.ARCHIVED, counting.DISCARDED),
)
LOG_BYTES = Metric(
    *("tidemark_log_bytes", "summary", ("cell",), "Bytes of a shelf's log, when it was written."),
    (counting.LOG_BYTES,),
)
LOG_BYTES_MOST = Metric("tidemark_log_bytes_max", "gauge", ("cell",), "The most of them.", (counting.LOG_BYTES,))
CELL_BYTES = Metric(
    *("tidemark_cell_bytes", "summary", ("cell",), "Mean bytes of a packed cell, when a log was rewritten."),
    (counting.CELL_BYTES,),
)
STARTED = Metric("tidemark_job_started_timestamp_seconds", "gauge", (), "When the job started, since the epoch.")
ENDED = Metric("tidemark_job_ended_timestamp_seconds", "gauge", (), "When it ended; absent while it runs.")
SUCCEEDED = Metric("tidemark_job_succeeded", "gauge", (), "1: it did what it should, 0: it failed; absent before.")
INFO = Metric("tidemark_job_info", "gauge", ("version",), "Always 1; the release that runs.")

METRICS: Final = (
    *(MESSAGES_READ, EVENTS_READ, EVENTS, FAILED, UNPLANNED, DROPPED, UNREADABLE, PROFILES_BUILT, PARTS_READ),
    *(ROWS, LAG, OLDEST, LEFT_BEHIND, LOG_BYTES, LOG_BYTES_MOST, CELL_BYTES, STARTED, ENDED, SUCCEEDED, INFO),
)


class Sample(NamedTuple):
    """One value of a metric. `value` is a list of (end, rows up to it) and the sum of seconds for a histogram."""

    metric: Metric
    labels: tuple[str, ...]
    value: float | Spread | tuple[list[tuple[str, int]], float]


def samples(numbers: Numbers, planned: Collection[str], oldest_seconds: float) -> Iterator[Sample]:
    """What Beam has counted, under Prometheus's names; each pair of metric and labels once.

    Args:
        numbers: what the job has counted.
        planned: the track events of the tracking plan.
        oldest_seconds: how long the oldest row of a local output has waited; 0: none waits.
    """
    counters = numbers.counters
    for metric in (EVENTS_READ, PROFILES_BUILT, PARTS_READ):
        yield Sample(metric, (), counters.get(metric.beam[0], 0))
    for name, outcome in _OUTCOMES.items():
        yield Sample(EVENTS, (outcome,), counters.get(name, 0))
    yield Sample(EVENTS, ("failed",), sum(_by(counters, counting.FAILED, str).values()))
    yield Sample(UNPLANNED, (), sum(_by(counters, counting.UNPLANNED, str).values()))
    for metric, known in (
        (FAILED, _among(REASONS)),
        (DROPPED, lambda name: _among({*planned, *EVENT_TYPES})(name.partition(": ")[0])),
        (UNREADABLE, _among(PROFILES.column_names())),
        (ROWS, _among([table.name for table in TABLES])),
        (MESSAGES_READ, str),  # pipelines/io/stream/read_sources.py names them
    ):
        for label, number in _by(counters, metric.beam[0], known).items():
            yield Sample(metric, (label,), number)
    for prefix, to in ((counting.ARCHIVED, "archive"), (counting.DISCARDED, "nowhere")):
        for cell, number in _by(counters, prefix, _among(CELLS)).items():
            yield Sample(LEFT_BEHIND, (cell, to), number)
    yield from _spreads(numbers)
    yield _lag(numbers)
    yield Sample(OLDEST, (), oldest_seconds)


def _spreads(numbers: Numbers) -> Iterator[Sample]:
    for cell in CELLS:
        for metric in (LOG_BYTES, CELL_BYTES):
            if spread := numbers.spreads.get(metric.beam[0] + cell):
                yield Sample(metric, (cell,), spread)
        if spread := numbers.spreads.get(counting.LOG_BYTES + cell):
            yield Sample(LOG_BYTES_MOST, (cell,), spread.most)


def _lag(numbers: Numbers) -> Sample:
    ends = [f"{end:g}" for end in LAG_SECONDS] + ["inf"]
    buckets = [("+Inf" if end == "inf" else end, numbers.counters.get(LAG_BUCKET + end, 0)) for end in ends]
    return Sample(LAG, (), (buckets, numbers.spreads.get(LAG_MILLISECONDS, Spread()).total / 1_000))


def _among(known: Collection[str]) -> Callable[[str], str]:
    """Names from a closed list; whatever else comes is `other`."""
    return lambda name: name if name in known else OTHER


def _by(counters: Mapping[str, int], prefix: str, label: Callable[[str], str]) -> dict[str, int]:
    """The counters of a family, added up by label."""
    found: dict[str, int] = {}
    for name, number in counters.items():
        if name.startswith(prefix):
            key = label(name.removeprefix(prefix))
            found[key] = found.get(key, 0) + number
    return found
