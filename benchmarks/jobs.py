"""Jobs that run until they are stopped, as processes, and what they have written so far."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

LOOK_SECONDS = 0.1
GIVE_UP_SECONDS = 300.0


@contextmanager
def running(module: str, arguments: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m module arguments` as a process; it ends with the block."""
    with log.open("wb") as printed:
        job = subprocess.Popen(  # noqa: S603 - this project's own modules
            [sys.executable, "-m", module, *arguments], stdout=printed, stderr=printed
        )
        try:
            yield job
        finally:
            job.terminate()
            job.wait()


@contextmanager
def stream_job(inputs: Sequence[str], segments: Path, output: Path, prism: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The streaming job as a process; it ends with the block."""
    arguments = [*inputs, "--segments", str(segments), "--output", f"duckdb:{output}", f"--prism_location={prism}"]
    with running("pipelines.profiles", arguments, output.with_suffix(".log")) as job:
        yield job


def wait_until(job: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    """Looks again and again.

    Raises:
        RuntimeError: the job ended, or it took too long.
    """
    until = time.monotonic() + GIVE_UP_SECONDS
    while not condition():
        if job.poll() is not None or time.monotonic() > until:
            raise RuntimeError("the job ended by itself, or takes too long; its log is beside its output")
        time.sleep(LOOK_SECONDS)


def ask(output: Path, query: str) -> list[tuple[str, int]]:
    """Rows of the published tables."""
    with duckdb.connect(str(output), read_only=True) as connection:
        return connection.execute(query).fetchall()
