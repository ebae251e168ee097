"""Write the row updates of a stream to its output, every few seconds.

Comes last in a stream's graph. Guarantees: a key's row is the one of the greatest version; an update that comes twice
changes nothing; readers of a local output always find all tables as of one moment, whole.

| output | how | when |
| --- | --- | --- |
| `duckdb:PATH` | into a work database beside it, a copy of which takes the place of PATH | every few seconds |
| `files:DIR` | the same, as Parquet files | every few seconds |
| `bigquery:...` | Storage Write API (append_rows.py) | with each bundle, when it is durable (hold_rows.py) |

A local output is no place of durability: what a crash takes comes again from the journal (journal.py). There, all
updates go to the one writer of the process (stream_writer.py), whatever bundle they are in; another process is refused.
"""

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import TimerSpec, on_timer
from apache_beam.typehints.decorators import no_annotations
from apache_beam.utils.timestamp import Timestamp

from pipelines.io.duckdb.stream_writer import WriteOptions, open_writer
from pipelines.io.outputs import BigQueryOutput, Output
from pipelines.io.tables.hold_rows import HoldRows
from schemas.event import Failure
from schemas.tables import FAILED_EVENTS
from schemas.update import RowUpdate, unpack_updates
from transforms.failed_events import count_failures, failure_row


class WriteUpdates(beam.PTransform[beam.PCollection[bytes], beam.PCollection[Any]]):
    """Takes packed `RowUpdate`s (schemas/update.py). Returns a PCollection whose watermark tells what was written.

    For BigQuery that is in the output then; for a local output it is in the hands of the writer, and in the journal.
    """

    def __init__(self, output: Output, options: WriteOptions) -> None:
        super().__init__()
        self._output = output
        self._options = options

    @no_annotations
    def expand(self, packed: beam.PCollection[bytes]) -> beam.PCollection[Any]:
        packed = packed | "HoldRows" >> HoldRows(self._options.hold)
        updates = packed | "UnpackUpdates" >> beam.FlatMap(unpack_updates)
        if isinstance(self._output, BigQueryOutput):
            return self._append_rows(self._output, updates)
        taken: beam.PCollection[Any] = updates | "UpdateTables" >> beam.ParDo(
            _UpdateTables(self._output, self._options)
        )
        start = updates.pipeline | "Start" >> beam.Create([(0, b"")]).with_output_types(tuple[int, bytes])
        time_only = taken | "KeepOnlyTime" >> beam.FlatMap(_nothing).with_output_types(tuple[int, bytes])
        _ = (
            (start, time_only)
            | "WithStart" >> beam.Flatten()
            | "EndBoot" >> beam.ParDo(_EndBoot(self._output, self._options))
        )
        return taken

    def _append_rows(self, output: BigQueryOutput, updates: beam.PCollection[RowUpdate]) -> beam.PCollection[Failure]:
        from pipelines.io.bigquery.append_rows import AppendRows

        refused: beam.PCollection[Failure] = updates | "AppendRows" >> AppendRows(output, cache=self._options.cache)
        failures = refused | "ToFailedEvents" >> beam.Map(_to_failed_event)
        # The watermark of what this returns waits for the failures, too: then they are written, or the job has failed.
        lost: beam.PCollection[Failure] = failures | "AppendFailedEvents" >> AppendRows(output)
        none_left: beam.PCollection[Failure] = lost | "LoseNothing" >> beam.FlatMap(_lose_nothing)
        return none_left


def _nothing(_element: Any) -> Iterable[tuple[int, bytes]]:
    return ()


class _UpdateTables(beam.DoFn):
    """Gives the updates of each bundle to the writer."""

    def __init__(self, output: Output, options: WriteOptions) -> None:
        self._output = output
        self._options = options
        self._updates: list[RowUpdate] = []

    def setup(self) -> None:
        open_writer(self._output, self._options)

    def start_bundle(self) -> None:
        self._updates = []

    def process(self, update: RowUpdate) -> Iterable[int]:
        self._updates.append(update)
        return ()

    def finish_bundle(self) -> None:
        if self._updates:
            open_writer(self._output, self._options).add(self._updates)


class _EndBoot(beam.DoFn):
    """Tells the writer when the history is through: once the watermark is where it was before (history_first.py).

    | timer | set | cleared |
    | --- | --- | --- |
    | `over`: `boot_until_us`, event time | at the start of the job | when it fires |
    """

    OVER = TimerSpec("over", TimeDomain.WATERMARK)

    def __init__(self, output: Output, options: WriteOptions) -> None:
        self._output = output
        self._options = options

    def process(self, element: tuple[int, bytes], over: Any = beam.DoFn.TimerParam(OVER)) -> None:
        over.set(Timestamp(micros=self._options.boot_until_us))

    @on_timer(OVER)
    def on_over(self) -> None:
        open_writer(self._output, self._options).end_boot()


def _lose_nothing(failure: Failure) -> Iterable[Failure]:
    """A failure that cannot be kept is not dropped: it ends the job. Its row is made to fit, so this is our error."""
    raise RuntimeError(f"failed_events cannot hold a failure: {'; '.join(failure.errors)}")


def _to_failed_event(failure: Failure) -> RowUpdate:
    """A row that BigQuery refused, as a row of `failed_events`."""
    count_failures([failure])
    return RowUpdate(FAILED_EVENTS.name, failure_row(failure), 1)
