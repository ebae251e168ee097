"""Which runner a stream gets that names none: Prism, the local runner that is right about time."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.loopback import bind_to_loopback
from pipelines.options.beam import LOCAL_RUNNERS, NO_MAIN_SESSION, takes_checkpoints
from schemas.errors import UsageError

_CORES = os.cpu_count() or 1
BUILT = Path(__file__).resolve().parent.parent / ".services" / "bin" / "prism"

STATE_CACHE_MB = 512
"""Beam's cache of state in a worker is off on runners of several machines, where it is needed most: without it each
bundle of a shelf reads its state over the network."""

ONE_BUNDLE_A_KEY = "prism_disable_sdf_split"
"""Prism splits any bundle that is slow. What it takes out of a keyed one it starts at once, also where the rest has
elements of the same key: two bundles work on one key's state, and what one of them writes is lost."""

OF_CHECKPOINTS = ("--operator_chaining", "--num_concurrent_checkpoints=4")
"""For Flink with checkpoints.

The first turns chaining off, which is on by default; it takes no value. With it the operators that begin a job have
other names on one slot than on two (Flink names what Beam does not, by what is chained to it), and what one has saved
is not found by the other. Nothing else in the job's graph is ever chained.

The second is also how many buffers there are, less one, for rows that wait for a checkpoint (hold_rows.py). Beam gives
them out in turn: with its default, a savepoint that is taken while a checkpoint is under way would leave the rows after
it to a buffer that the checkpoint's end empties, too early.
"""

MISSING = """A stream runs on Prism, Beam's local runner, and it is not built.
`make services` builds it (Go is needed), or give the path of yours: --prism_location PATH.
Another runner will do, too: --runner FlinkRunner, --runner DataflowRunner."""
LISTENS = """The Prism that was named may listen on every network interface of this machine while the job runs.
The one that `make services` builds listens on 127.0.0.1 only; so does any in `python -m services isolated`."""


def with_stream_runner(beam_arguments: Sequence[str]) -> list[str]:
    """Beam's arguments for a stream; without a runner among them, those of Prism.

    What Beam itself serves in this process listens on loopback only from here on.

    Raises:
        UsageError: no runner is named, and Prism is not built.
    """
    bind_to_loopback()
    arguments = ["--streaming", NO_MAIN_SESSION, *beam_arguments]
    named = {argument.partition("=")[0] for argument in arguments}
    if not keeps_no_state(arguments) and "--max_cache_memory_usage_mb" not in named:
        arguments.append(f"--max_cache_memory_usage_mb={STATE_CACHE_MB}")
    if takes_checkpoints(arguments):
        arguments += [option for option in OF_CHECKPOINTS if option.partition("=")[0] not in named]
    if "--runner" not in named:
        arguments.append("--runner=PrismRunner")
    if not _is_prism(arguments):
        return arguments
    if "--prism_location" not in named:
        arguments.append(f"--prism_location={find_prism()}")
    elif not any(argument.endswith(f"={BUILT}") for argument in arguments):
        print(LISTENS, file=sys.stderr)
    arguments.append(f"--experiments={ONE_BUNDLE_A_KEY}")
    return arguments


def keeps_no_state(arguments: Sequence[str]) -> bool:
    """Whether the runner forgets everything when it ends. Without a runner among them it is Prism."""
    runner = runner_of(arguments) or "PrismRunner"
    return runner.rpartition(".")[2] in LOCAL_RUNNERS


def works_here(arguments: Sequence[str]) -> bool:
    """Whether a local runner has its worker in this process, as it has unless it is told otherwise."""
    environment = PipelineOptions(list(arguments)).get_all_options().get("environment_type")
    return keeps_no_state(arguments) and environment in (None, "LOOPBACK")


def is_apart(arguments: Sequence[str]) -> bool:
    """Whether the later stages of a stream have a process of their own: on Prism, where there are cores for both."""
    return (runner_of(arguments) or "PrismRunner") == "PrismRunner" and works_here(arguments) and _CORES > 1


def runner_of(arguments: Sequence[str]) -> str:
    """The runner that Beam's arguments name."""
    return str(PipelineOptions(list(arguments)).get_all_options().get("runner") or "")


def find_prism() -> str:
    """The path of the Prism that this project builds. Any other must be named.

    One on PATH may be another program of this name, and Beam's own download is checked by nobody.

    Raises:
        UsageError: it is not built.
    """
    if not BUILT.exists():
        raise UsageError(MISSING)
    return str(BUILT)


def _is_prism(arguments: Sequence[str]) -> bool:
    return runner_of(arguments).rpartition(".")[2] == "PrismRunner"
