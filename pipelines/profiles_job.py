"""The main job from its command line on: batch or stream, in this process or in several."""

import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext

from pipelines.forked.choice import takes_processes
from pipelines.forked.start import fork_server
from pipelines.import_beam import import_beam, lasting_imports, names_a_store
from pipelines.options.profiles import ProfilesOptions, parse_profiles_options
from pipelines.temporary import interruptible, own_temporary_folder
from pipelines.words.log import log_format_of, log_lines, say_error
from schemas.errors import UsageError


def run_arguments(given: Sequence[str], worker_command: str | None = None) -> int:
    """Runs the job that a command line asks for; returns the exit status.

    Args:
        given: the arguments.
        worker_command: what starts a worker process, where a server of such was started already.
    """
    with log_lines(log_format_of(given)):
        try:
            options = parse_profiles_options(given)
        except UsageError as error:
            say_error(error)
            return 2
        for warning in options.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        return run(options, worker_command, stores=names_a_store(given))


def run(options: ProfilesOptions, worker_command: str | None = None, *, stores: bool = True) -> int:
    """Runs a job whose options have been checked; `stores` says whether it may need an object store."""
    if not all(location.bounded for location in options.inputs):
        from pipelines.stream_job import run_stream

        with own_temporary_folder():
            return run_stream(options)
    with own_temporary_folder(), interruptible() as stopped:
        if not takes_processes(options):
            return _run_batch(options, stopped, None, stores=stores)
        with nullcontext(worker_command) if worker_command else fork_server(stores=stores) as command:
            return _run_batch(options, stopped, command, stores=stores)


def _run_batch(options: ProfilesOptions, stopped: threading.Event, worker_command: str | None, *, stores: bool) -> int:
    with lasting_imports():
        import_beam(stores=stores)
        from pipelines.batch_job import run_batch

    return run_batch(options, stopped, worker_command)
