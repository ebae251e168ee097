"""Whether a job runs in worker processes of our own."""

from __future__ import annotations

import os

from pipelines.forked.start import OF_ANOTHER_RUNNER, WORTH_PROCESSES_BYTES
from pipelines.io.files.sizes import input_bytes
from pipelines.io.locations import FileInput
from pipelines.options.profiles import ProfilesOptions


def takes_processes(options: ProfilesOptions) -> bool:
    """Whether the job runs in worker processes of our own choice: it names no runner, and has much to read."""
    named = {argument.partition("=")[0] for argument in options.beam_arguments}
    files = [location for location in options.inputs if isinstance(location, FileInput)]
    several = (os.cpu_count() or 1) > 1
    return not named & OF_ANOTHER_RUNNER and several and input_bytes(files) > WORTH_PROCESSES_BYTES
