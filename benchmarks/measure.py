"""Runs a command and watches it: how long it takes, and how much memory it and its children hold at most."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import psutil

SAMPLE_SECONDS = 0.1
MEGABYTE = 1_000_000


class Measured(NamedTuple):
    """Wall-clock seconds from start to exit, the largest sum of resident memory seen, and what was printed."""

    seconds: float
    peak_bytes: int
    output: str


def measure(module: str, arguments: Sequence[str], environment: Mapping[str, str] = MappingProxyType({})) -> Measured:
    """Runs `python -m module arguments` in a process of its own, with these variables besides its own.

    Raises:
        RuntimeError: it failed; with the end of what it printed.
    """
    with tempfile.TemporaryFile("w+") as printed:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - this project's own modules
            [sys.executable, "-m", module, *arguments],
            stdout=printed,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )
        peak_bytes = 0
        while process.poll() is None:
            peak_bytes = max(peak_bytes, _resident_bytes(process.pid))
            time.sleep(SAMPLE_SECONDS)
        seconds = time.perf_counter() - started
        printed.seek(0)
        output = printed.read()
    if process.returncode:
        raise RuntimeError(f"{module} failed:\n{output[-2000:]}")
    return Measured(seconds, peak_bytes, output)


def _resident_bytes(pid: int) -> int:
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        return total  # it ended while it was looked at
    return total
