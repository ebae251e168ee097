"""Which runner a job gets that names none."""

from __future__ import annotations

import os

from pipelines.forked.choice import takes_processes
from pipelines.loopback import bind_to_loopback
from pipelines.options.beam import NO_MAIN_SESSION
from pipelines.options.profiles import ProfilesOptions

LOCAL_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
"""Beam's own in-process runner, by its full name: `DirectRunner` may choose one that must be downloaded."""


def with_default_runner(options: ProfilesOptions) -> list[str]:
    """Beam's arguments; if they name no runner, those of the local one, with a process per core for large input.

    What Beam itself serves in this process listens on loopback only from here on.
    """
    bind_to_loopback()
    arguments = [NO_MAIN_SESSION, *options.beam_arguments]
    if any(argument.partition("=")[0] == "--runner" for argument in arguments):
        return arguments
    arguments.append(f"--runner={LOCAL_RUNNER}")
    if takes_processes(options):
        arguments += ["--direct_running_mode=multi_processing", f"--direct_num_workers={os.cpu_count() or 1}"]
    return arguments
