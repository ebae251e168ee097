"""Which runner a job gets that names none."""

from __future__ import annotations

import os

from pipelines.io.files.read_files import input_bytes
from pipelines.io.locations import FileInput
from pipelines.loopback import bind_to_loopback
from pipelines.options.profiles import ProfilesOptions

LOCAL_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
"""Beam's own in-process runner, by its full name: `DirectRunner` may choose one that must be downloaded."""
_WORTH_PROCESSES_BYTES = 64 * 1024 * 1024
"""Starting worker processes takes some 3 seconds; below this much input one process is done sooner."""


def with_default_runner(options: ProfilesOptions) -> list[str]:
    """Beam's arguments; if they name no runner, those of the local one, with a process per core for large input.

    What Beam itself serves in this process listens on loopback only from here on.
    """
    bind_to_loopback()
    arguments = list(options.beam_arguments)
    if any(argument.partition("=")[0] == "--runner" for argument in arguments):
        return arguments
    arguments.append(f"--runner={LOCAL_RUNNER}")
    files = [location for location in options.inputs if isinstance(location, FileInput)]
    named = {argument.partition("=")[0] for argument in arguments}
    cores = os.cpu_count() or 1
    if cores > 1 and "--direct_running_mode" not in named and input_bytes(files) > _WORTH_PROCESSES_BYTES:
        arguments += ["--direct_running_mode=multi_processing", f"--direct_num_workers={cores}"]
    return arguments
