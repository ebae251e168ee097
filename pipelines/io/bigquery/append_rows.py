"""Append rows to BigQuery while a job runs: the end of a streaming job's graph.

Delivery: a bundle is done when BigQuery has accepted its rows, at least once; a reader of the views sees each row once
(see stream.py). Rows are visible as soon as their bundle is done, whatever the watermark says. Rows that
cannot be written come out as failures, at the instant of no event, in the global window.

A job that starts without the state of an earlier one counts versions from the beginning again, one that starts from an
older savepoint from there. What it says is newer all the same: in the log, the versions of a job that was launched
later are greater.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows
from apache_beam.typehints.decorators import no_annotations
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.io.bigquery import unwritten
from pipelines.io.bigquery.stream import BigQueryStream
from pipelines.io.cache.location import CacheLocation
from pipelines.io.cache.touched import touched_profiles
from pipelines.io.outputs import BigQueryOutput
from pipelines.io.stream.source import now_us
from schemas.event import Failure
from schemas.tables import EVENTS, TABLES
from schemas.update import RowUpdate
from transforms.counting import count_rows
from transforms.state.facts import event_counters

_COLUMNS = {table.name: table.column_names() for table in TABLES}

VERSIONS_A_SECOND = 2**32
"""How far the versions of jobs are apart that were launched a second apart; no row is written so often."""

_EVENT_BITS = (8, 12, 12)
"""Of that, the bits for each of the three counters of an event's version (transforms/state/facts.py)."""


class AppendRows(beam.PTransform[beam.PCollection[RowUpdate], beam.PCollection[Failure]]):
    """Write `RowUpdate`s. Returns the `Failure`s: rows that their table cannot hold, or that BigQuery refused.

    Write those to `failed_events` with a second AppendRows.

    Args:
        output: the dataset.
        launched_at: when the job was launched, seconds since the epoch; by default when this is made.
        cache: who is in which segment is kept there, too, a moment later; None: nowhere.
    """

    def __init__(
        self, output: BigQueryOutput, launched_at: int | None = None, cache: CacheLocation | None = None
    ) -> None:
        super().__init__()
        self._output = output
        self._cache = cache
        self._first_version = (int(time.time()) if launched_at is None else launched_at) * VERSIONS_A_SECOND

    @no_annotations
    def expand(self, changes: beam.PCollection[RowUpdate]) -> beam.PCollection[Failure]:
        append = beam.ParDo(_Append(self._output, self._first_version, self._cache))
        failures: beam.PCollection[Failure] = changes | "Append" >> append
        return failures


def version_within(update: RowUpdate) -> int:
    """The version of a row among those of the same job: less than `VERSIONS_A_SECOND`.

    An event's counters lie far apart, so they are moved together. Where one is too large for its bits, what is below it
    no longer counts; of equal versions BigQuery keeps what came last.
    """
    if update.table != EVENTS.name:
        return min(update.version, VERSIONS_A_SECOND - 1)
    version = 0
    left = sum(_EVENT_BITS)
    for counter, bits in zip(event_counters(update.version), _EVENT_BITS, strict=True):
        left -= bits
        most = (1 << bits) - 1
        if counter >= most:
            return version | (most + 1 << left) - 1
        version |= counter << left
    return version


class _Append(beam.DoFn):
    def __init__(self, output: BigQueryOutput, first_version: int, cache: CacheLocation | None) -> None:
        self._output = output
        self._cache = cache
        self._touched: set[str] = set()
        self._first_version = first_version
        self._stream: BigQueryStream | None = None

    def start_bundle(self) -> None:
        # What a bundle that failed left behind must not be sent with the next one.
        if self._stream is None:
            self._stream = BigQueryStream(self._output)
        self._stream.discard()
        unwritten.let_go(id(self))
        self._touched = set()
        self._rows: Counter[str] = Counter()
        self._came: Counter[int] = Counter()

    def setup(self) -> None:
        self._tell_cache(())  # which fills it

    def process(self, update: RowUpdate) -> Iterator[Failure]:
        version = self._first_version + version_within(update)
        if self._cache is not None:
            self._touched |= touched_profiles([update])
        self._rows[update.table] += 1
        if update.came_us not in self._came:
            unwritten.hold(id(self), update.came_us)
        self._came[update.came_us] += 1
        row = dict(zip(_COLUMNS[update.table], update.row, strict=True), row_version=version)
        yield from self._open_stream().write(update.table, [row], deleted=update.withdrawn)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for failure in self._open_stream().flush():
            yield GlobalWindows.windowed_value(failure)
        unwritten.let_go(id(self))
        count_rows(self._rows, self._came, now_us())
        self._tell_cache(self._touched)

    def teardown(self) -> None:
        unwritten.let_go(id(self))

    def _tell_cache(self, touched: Iterable[str]) -> None:
        if self._cache is not None:
            from pipelines.io.cache.appended import open_appended  # only a job with a cache needs Redis's client

            open_appended(self._output, self._cache).add(touched)

    def _open_stream(self) -> BigQueryStream:
        if self._stream is None:
            raise RuntimeError("start_bundle() comes first")
        return self._stream
