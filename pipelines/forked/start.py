"""Starts the process from which workers are forked. Without Beam: it is started first, so that both import at once."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import glob
from itertools import pairwise
from pathlib import Path
from typing import Final

from pipelines.forked import client

WORTH_PROCESSES_BYTES: Final = 64 * 1024 * 1024
"""Below this much input one process is done sooner: of what travels between processes each MB costs 15 ms."""
STORES: Final = "stores"
OF_ANOTHER_RUNNER: Final = frozenset(("--runner", "--direct_running_mode"))


def looks_large(arguments: Sequence[str]) -> bool:
    """Whether a job will take worker processes, by a glance at its command line, before its options are read.

    What is decided then counts (choice.py). But the server imports beside us from now on, for a third of a second more.
    """
    if (os.cpu_count() or 1) == 1 or OF_ANOTHER_RUNNER & {argument.partition("=")[0] for argument in arguments}:
        return False
    patterns = [argument.removeprefix("--input=") for argument in arguments if argument.startswith("--input=")]
    patterns += [value for name, value in pairwise(arguments) if name == "--input"]
    try:
        sizes = [Path(file).stat().st_size for pattern in patterns for file in glob(pattern)]  # noqa: PTH207
    except OSError:
        return False
    return sum(sizes) > WORTH_PROCESSES_BYTES


@contextmanager
def fork_server(*, stores: bool = True) -> Iterator[str]:
    """The server runs inside the `with`; gives the command that is a worker of it.

    Args:
        stores: whether workers may need object stores.
    """
    with tempfile.TemporaryDirectory(prefix="tidemark-workers-") as folder:
        path = str(Path(folder, "socket"))
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            listening.listen()  # from now on, though nobody answers yet: a client that calls early waits
            descriptor = listening.fileno()
            arguments = [
                sys.executable,
                "-m",
                "pipelines.forked.server",
                str(descriptor),
                *([STORES] if stores else []),
            ]
            server = subprocess.Popen(arguments, stdin=subprocess.PIPE, pass_fds=[descriptor])  # noqa: S603 - ourselves
        with server:
            try:
                yield shlex.join([sys.executable, "-S", "-E", client.__file__, path])
            finally:
                server.terminate()
