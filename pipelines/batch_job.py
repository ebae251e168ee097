"""Runs a job whose inputs end, once its options are checked; `stream_job.py` runs the others."""

import contextlib
import os
import sys
import threading
import time
import traceback
from functools import partial
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineState

from pipelines.batch import build_batch
from pipelines.beam_remembers import remember
from pipelines.forked.runner import ForkingRunner, LostWorkerError, ended_by_lost_workers
from pipelines.io.files.ranges import plan_ranges
from pipelines.io.job_record import note_end, note_start
from pipelines.io.locations import FileInput
from pipelines.io.tables.staging_place import StagingPlace, begin_staging, new_staging_place
from pipelines.io.tables.write_tables import finish_tables
from pipelines.job_metrics import JobMetrics, read_numbers, told_metrics
from pipelines.options.profiles import ProfilesOptions
from pipelines.runners import with_default_runner
from pipelines.words.failure import describe_failure, quiet_beam
from pipelines.words.job_progress import show_progress
from pipelines.words.log import say_error
from pipelines.words.summary import print_summary
from schemas.errors import OutputError, UsageError
from transforms.numbers import Numbers


def run_batch(options: ProfilesOptions, stopped: threading.Event, worker_command: str | None = None) -> int:
    """Builds the job, runs it and tells what came of it; returns the exit status.

    Args:
        options: what was asked.
        stopped: it was told to end.
        worker_command: what starts a worker process; None: what Beam itself would start.
    """
    try:
        with told_metrics(options.metrics, options.plan.event_names()) as metrics:
            return metrics.end(_run(options, stopped, worker_command, metrics))
    except UsageError as error:
        say_error(error)
        return 2


def _run(options: ProfilesOptions, stopped: threading.Event, worker_command: str | None, metrics: JobMetrics) -> int:
    started = time.monotonic()
    ranges = plan_ranges(location for location in options.inputs if isinstance(location, FileInput))
    place = new_staging_place(options.output, options.staging)
    try:
        begin_staging(place)
    except OutputError as error:
        say_error(error)
        return 2
    result: Any = None
    try:
        note_start(options.output)
        progress = show_progress(len(ranges), str(options.output))
        remember()
        with quiet_beam(verbose=options.verbose), progress as so_far, place.kept_alive():
            metrics.numbers = lambda: Numbers(so_far(), {})
            runner = ForkingRunner(worker_command) if worker_command else None
            pipeline = beam.Pipeline(runner, options=PipelineOptions(with_default_runner(options)))
            build_batch(pipeline, options, place)
            with ended_by_lost_workers():
                result = pipeline.run()
                state = result.wait_until_finish()
            metrics.numbers = partial(read_numbers, result)
            if place.finished_by_launcher and state in (None, PipelineState.DONE):
                finish_tables(place)
    except LostWorkerError as error:
        return _failed(describe_failure(error, str(options.output)), options, place)
    except Exception as error:  # noqa: BLE001 - whatever it is, it has ended the job
        if stopped.is_set():
            return _stopped(result, options, place)
        if options.verbose:
            traceback.print_exc()
        return _failed(describe_failure(error, str(options.output)), options, place)
    except KeyboardInterrupt:
        return _stopped(result, options, place)
    if state not in (None, PipelineState.DONE):
        return _failed(f"The job failed: the runner says {state}. Its own log knows why.", options, place)
    note_end(options.output, options.definitions.segments)
    if options.cache is not None:
        from pipelines.cache import keep_in_cache

        keep_in_cache(options.cache, options.output)
    try:
        print_summary(options, read_numbers(result).counters, time.monotonic() - started)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough; the tables are written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _stopped(result: Any, options: ProfilesOptions, place: StagingPlace) -> int:
    """On a cluster the job would go on without us."""
    if result is not None and place.shared:
        with contextlib.suppress(Exception):  # it may have ended, or be out of reach: it cannot be told more than that
            result.cancel()
    return _failed(f"Stopped. {options.output} is what it was before.", options, place)


def _failed(text: str, options: ProfilesOptions, place: StagingPlace) -> int:
    print(text, file=sys.stderr)
    note_end(options.output, None)
    place.abandon()
    return 1
