"""The job on inputs without end: history and live events in, tables that follow them out, until it is stopped."""

import signal
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineState

from pipelines.apart.pool import begin_apart
from pipelines.apart.process import check_apart
from pipelines.boot.live import passed_us
from pipelines.boot.run import TakenIn, is_worth_it, take_in, without_history
from pipelines.io.bigquery.unwritten import unwritten_since_us
from pipelines.io.duckdb.boot_rows import BootRows
from pipelines.io.duckdb.stream_writer import (
    WriteOptions,
    begin_tables,
    check_writers,
    close_writers,
    open_writer,
    waiting_since_us,
)
from pipelines.io.job_record import note_end
from pipelines.io.journal.history_first import BEFORE_ALL_US, Boot
from pipelines.io.journal.read_history import ReadHistoryAndLive, begin
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.tables.write_updates import WriteUpdates
from pipelines.job_metrics import JobMetrics, stream_numbers, told_metrics
from pipelines.options.beam import is_of_dataflow, takes_checkpoints
from pipelines.options.profiles import ProfilesOptions
from pipelines.stream_runner import is_apart, keeps_no_state, with_stream_runner, works_here
from pipelines.words.failure import end_quietly, quiet_beam, read_cause
from pipelines.words.log import say_error
from pipelines.words.retention import retention_lines
from pipelines.words.summary import print_summary
from schemas.errors import UsageError
from schemas.message import Message
from schemas.stamp import earlier
from transforms.counting import READ, begin_counting
from transforms.state.process import PROCESS

Build = Callable[[beam.Pipeline, Sequence[beam.PCollection[Message]], ProfilesOptions], beam.PCollection[bytes]]
_SECOND_US = 1_000_000
_CHECK_SECONDS = 0.5


def run_stream(options: ProfilesOptions, build: Build | None = None) -> int:
    """Runs until the inputs end or somebody stops it (Ctrl-C, SIGTERM): 0. Returns 1 when the job failed."""
    try:
        arguments = with_stream_runner(options.beam_arguments)
        with told_metrics(options.metrics, options.plan.event_names()) as metrics:
            begin_counting()
            metrics.oldest_us = lambda: earlier(waiting_since_us(), unwritten_since_us())
            return metrics.end(_run(options, arguments, metrics, build))
    except UsageError as error:
        say_error(error)
        return 2


def _run(options: ProfilesOptions, arguments: list[str], metrics: JobMetrics, build: Build | None) -> int:
    for line in retention_lines(options):
        print(line, file=sys.stderr)
    stopped, shown = threading.Event(), sys.stderr
    failure: BaseException | None = None
    result, started = None, time.monotonic()
    try:
        with quiet_beam(verbose=options.verbose):
            pipeline = beam.Pipeline(options=PipelineOptions(arguments))
            if build is None and is_apart(arguments):
                begin_apart()
            with _stoppable(stopped):
                build_live(pipeline, options, arguments, build, stopped)
                result = pipeline.run()
                metrics.numbers = partial(stream_numbers, result)
            with _stoppable(stopped):  # once more: the runner has put its own handler in the place of ours
                _wait(result, stopped)
    except Exception as error:  # noqa: BLE001 - whatever it is, it has ended the job
        failure = None if stopped.is_set() else error  # work that is cut off fails, of course
    if stopped.is_set() and not options.verbose:
        end_quietly()
    counters = {} if result is None else stream_numbers(result).counters
    try:
        close_all()
    except Exception as error:  # noqa: BLE001 - what is left could not be published
        failure = failure or error
    if failure is not None:
        return _failed(failure, options, shown)
    if counters:
        print_summary(options, counters, time.monotonic() - started)
    if stopped.is_set():
        goes_on = options.stream.journal_folder(options.output) or not keeps_no_state(arguments)
        again = "; started again, the job goes on from here" if goes_on else ""
        print(f"Stopped. {options.output} is up to date{again}.", file=shown)
    return 0


def build_live(
    pipeline: beam.Pipeline,
    options: ProfilesOptions,
    arguments: list[str],
    build: Build | None = None,
    stopped: threading.Event | None = None,
) -> None:
    """Takes in what there is of history, and adds the whole job to the pipeline.

    Args:
        pipeline: an empty pipeline.
        options: checked options.
        arguments: Beam's own.
        build: the graph between messages and rows, which takes no history; None: the one of pipelines/stream.py.
        stopped: set by whoever wants the job to end.

    Raises:
        StoppedError: `stopped` was set while history was taken in.
    """
    note_end(options.output, options.definitions.segments)
    folder = options.stream.journal_folder(options.output)
    boot = begin(folder, uuid.uuid4().hex, options.inputs) if folder else None
    # With a journal a record is safe once it is read. Without one, a runner without checkpoints has it in memory only.
    in_memory_only = boot is None and keeps_no_state(arguments)
    sources = _source_options(options, boot, in_memory_only)
    taken_in = None
    if boot is not None and build is None and keeps_no_state(arguments) and is_worth_it(options, boot):
        taken_in = _take_in(options, boot, sources, stopped or threading.Event(), here=works_here(arguments))
    rest = boot if boot is None or taken_in is None else without_history(boot)
    reading = ReadHistoryAndLive(options.inputs, sources, rest, taken_in=taken_in is not None)

    write_options = _write_options(options, boot, taken_in, arguments)
    if taken_in is not None and works_here(arguments):
        # Its rows are loaded while the graph starts. Whatever fails fails again where the first bundle asks for it.
        threading.Thread(target=_begin_writing, args=(options, write_options), daemon=True).start()
    read = pipeline | "ReadHistoryAndLive" >> reading
    updates = (build or partial(_build_stream, taken_in=taken_in))(pipeline, read.of_sources, options)
    written = updates | "WriteUpdates" >> WriteUpdates(options.output, write_options)
    if in_memory_only:
        _ = (read.receipts, written) | "AcknowledgeWritten" >> reading.acknowledge_written()


def close_all() -> None:
    """Publishes and closes what this process holds open; first the writers, which end bundles that are still at work.

    Those would only open again what is closed before them.
    """
    try:
        close_writers()
    finally:
        PROCESS.close()


def _take_in(
    options: ProfilesOptions, boot: Boot, sources: SourceOptions, stopped: threading.Event, *, here: bool
) -> TakenIn:
    """`here`: whether the writer of the output will be one of this process."""
    from pipelines.stream import stream_settings

    started = time.monotonic()
    until_us = partial(passed_us, boot, options.inputs, sources)
    begin = partial(_begin_tables, options, boot) if here else None
    taken_in = take_in(options, boot, stream_settings(options), stopped, until_us, begin)
    seconds = time.monotonic() - started
    print(f"Took in {taken_in.counters[READ]:,} messages of history in {seconds:.1f} seconds.", file=sys.stderr)
    return taken_in


def _begin_tables(options: ProfilesOptions, boot: Boot, rows: Path) -> None:
    begin_tables(options.output, boot.folder, BootRows(rows))


def _begin_writing(options: ProfilesOptions, write_options: WriteOptions) -> None:
    with suppress(Exception):
        open_writer(options.output, write_options)


def _build_stream(
    pipeline: beam.Pipeline,
    messages: Sequence[beam.PCollection[Message]],
    options: ProfilesOptions,
    taken_in: TakenIn | None = None,
) -> beam.PCollection[bytes]:
    from pipelines.stream import build_stream

    updates: beam.PCollection[bytes] = build_stream(pipeline, messages, options, taken_in)
    return updates


def _source_options(options: ProfilesOptions, boot: Boot | None, in_memory_only: bool) -> SourceOptions:
    stream = options.stream
    return SourceOptions(
        out_of_orderness_seconds=stream.out_of_orderness_us / _SECOND_US,
        idle_timeout_seconds=stream.idle_timeout_us / _SECOND_US,
        kafka_readers=stream.kafka_readers,
        kafka_settings=stream.kafka_settings,
        group="tidemark" if boot is None else f"tidemark-{boot.journal_id()[:8]}",
        watch_journal="" if boot is None else str(boot.folder / "files"),
        epoch=options.epoch,
        positions_folder="" if boot is None else str(boot.folder),
        acknowledge="written" if in_memory_only else "bundle",
    )


def _write_options(
    options: ProfilesOptions, boot: Boot | None, taken_in: TakenIn | None, arguments: Sequence[str]
) -> WriteOptions:
    live = [location.text for location in options.inputs if not location.bounded]
    return WriteOptions(
        write_every_seconds=options.stream.write_every_us / _SECOND_US,
        folder="" if boot is None else str(boot.folder),
        run="" if boot is None else boot.run,
        is_restart=boot is not None and boot.known_until > 0,
        boot_until_us=BEFORE_ALL_US if boot is None else boot.over_at_us(live),
        cache=options.cache,
        hold="checkpoint" if takes_checkpoints(arguments) else "exchange" if is_of_dataflow(arguments) else "",
        boot_rows="" if taken_in is None else taken_in.rows,
    )


def _wait(result: Any, stopped: threading.Event) -> None:
    """Waits for the end, or to be stopped, and looks now and then whether the writer still writes."""
    while not PipelineState.is_terminal(result.state):
        check_writers()
        check_apart()
        if stopped.wait(_CHECK_SECONDS):
            return
    state = result.wait_until_finish()  # raises what ended the job
    if state not in (None, PipelineState.DONE, PipelineState.DRAINED):
        raise RuntimeError(f"the runner says {state}")


def _failed(error: BaseException, options: ProfilesOptions, shown: TextIO) -> int:
    if options.verbose:
        traceback.print_exception(error, file=shown)
    cause, step = read_cause(error)
    print(f"The job failed{f' in {step}' if step else ''}: {cause} Started again, it goes on.", file=shown)
    return 1


@contextmanager
def _stoppable(stopped: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM set `stopped`."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
