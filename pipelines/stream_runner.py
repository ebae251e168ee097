"""Which runner a stream gets that names none: Prism, the local runner that is right about time."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.prism_runner import PrismJobServer

_BUILT = Path(__file__).resolve().parent.parent / ".services" / "bin" / "prism"
_NO_STATE = ("PrismRunner", "FnApiRunner", "DirectRunner", "BundleBasedDirectRunner", "SwitchingDirectRunner")

ONE_BUNDLE_A_KEY = "prism_disable_sdf_split"
"""Prism splits any bundle that is slow. What it takes out of a keyed one it starts at once, also where the rest has
elements of the same key: two bundles work on one key's state, and what one of them writes is lost."""

MISSING = """A stream runs on Prism, Beam's local runner. It is not here, and it cannot be downloaded ({reason}).
`make services` builds it (Go is needed), or give its path: --prism_location PATH.
Another runner will do, too: --runner FlinkRunner, --runner DataflowRunner."""
LISTENS = "Prism, the local runner, listens on every network interface of this machine while the job runs."


class PrismMissingError(Exception):
    """Prism is neither built nor to be had; the text is for the person who started the job."""


def with_stream_runner(beam_arguments: Sequence[str]) -> list[str]:
    """Beam's arguments for a stream; without a runner among them, those of Prism.

    Raises:
        PrismMissingError: no runner is named, and there is no Prism.
    """
    arguments = ["--streaming", *beam_arguments]
    named = {argument.partition("=")[0] for argument in arguments}
    if "--runner" not in named:
        arguments.append("--runner=PrismRunner")
    if not _is_prism(arguments):
        return arguments
    if "--prism_location" not in named:
        arguments.append(f"--prism_location={find_prism(arguments)}")
    arguments.append(f"--experiments={ONE_BUNDLE_A_KEY}")
    print(LISTENS, file=sys.stderr)
    return arguments


def keeps_no_state(arguments: Sequence[str]) -> bool:
    """Whether the runner forgets everything when it ends. Without a runner among them it is Prism."""
    runner = runner_of(arguments) or "PrismRunner"
    return runner.rpartition(".")[2] in _NO_STATE


def runner_of(arguments: Sequence[str]) -> str:
    """The runner that Beam's arguments name."""
    return str(PipelineOptions(list(arguments)).get_all_options().get("runner") or "")


def find_prism(arguments: Sequence[str]) -> str:
    """The path of a Prism: the one that this project builds, one on PATH, or Beam's own download.

    Raises:
        PrismMissingError: there is none.
    """
    if _BUILT.exists():
        return str(_BUILT)
    on_path = shutil.which("prism")
    if on_path is not None:
        return on_path
    server = PrismJobServer(PipelineOptions(list(arguments)))
    version = server._version
    url = server.construct_download_url(version, platform.system(), platform.machine())
    try:
        return str(PrismJobServer.local_bin(url))
    except (OSError, RuntimeError) as error:
        raise PrismMissingError(MISSING.format(reason=type(error).__name__)) from error


def _is_prism(arguments: Sequence[str]) -> bool:
    return runner_of(arguments).rpartition(".")[2] == "PrismRunner"
