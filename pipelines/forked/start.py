"""Starts the process from which workers are forked. Without Beam: it is started first, so that both import at once."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.forked import client
from pipelines.io.files.sizes import input_bytes
from pipelines.io.locations import FileInput
from pipelines.options.profiles import ProfilesOptions

_WORTH_PROCESSES_BYTES = 64 * 1024 * 1024
"""Below this much input one process is done sooner: of what travels between processes each MB costs 15 ms."""


def takes_processes(options: ProfilesOptions) -> bool:
    """Whether the job runs in worker processes of our own choice: it names no runner, and has much to read."""
    named = {argument.partition("=")[0] for argument in options.beam_arguments}
    files = [location for location in options.inputs if isinstance(location, FileInput)]
    several = (os.cpu_count() or 1) > 1
    return not named & {"--runner", "--direct_running_mode"} and several and input_bytes(files) > _WORTH_PROCESSES_BYTES


@contextmanager
def fork_server() -> Iterator[str]:
    """The server runs inside the `with`; gives the command that is a worker of it."""
    with tempfile.TemporaryDirectory(prefix="tidemark-workers-") as folder:
        path = str(Path(folder, "socket"))
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            listening.listen()  # from now on, though nobody answers yet: a client that calls early waits
            descriptor = listening.fileno()
            arguments = [sys.executable, "-m", "pipelines.forked.server", str(descriptor)]
            server = subprocess.Popen(arguments, stdin=subprocess.PIPE, pass_fds=[descriptor])  # noqa: S603 - ourselves
        with server:
            try:
                yield shlex.join([sys.executable, "-S", "-E", client.__file__, path])
            finally:
                server.terminate()
