"""Says on stderr, while a local job runs, what it is doing.

The job's processes append what they count to files of their own in a temporary folder (`transforms/counting.py`), a
line per range of input or bucket of profiles; a thread of the main process adds them up every few seconds.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from transforms import counting


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When something is said: first after so many seconds, then every so many."""

    first_seconds: float
    every_seconds: float


TERMINAL: Final = Rhythm(1, 1)
LOG: Final = Rhythm(10, 10)
"""A log gets a line now and then, and none of a job that is done soon."""


@contextmanager
def show_progress(
    ranges: int, output: str, stream: TextIO | None = None, rhythm: Rhythm | None = None
) -> Iterator[Callable[[], dict[str, int]]]:
    """Shows how far the job is that runs inside the `with`; gives what tells its counters so far.

    Args:
        ranges: how many pieces of input there are to read.
        output: where the tables go, in words.
        stream: where to say it; stderr if not given.
        rhythm: how often; if not given, by whether `stream` is a terminal.
    """
    stream = stream or sys.stderr
    rhythm = rhythm or (TERMINAL if stream.isatty() else LOG)
    ended = threading.Event()
    with tempfile.TemporaryDirectory(prefix="tidemark-progress-") as folder:

        def describe() -> str:
            return describe_progress(so_far(), ranges, output)

        def so_far() -> dict[str, int]:
            return add_up(Path(folder)) if Path(folder).is_dir() else {}  # it is gone when the job is

        os.environ[counting.PROGRESS_FOLDER] = folder
        thread = threading.Thread(target=_tell, args=(describe, stream, rhythm, ended), name="progress", daemon=True)
        thread.start()
        try:
            yield so_far
        finally:
            ended.set()
            thread.join()
            del os.environ[counting.PROGRESS_FOLDER]


def _tell(describe: Callable[[], str], stream: TextIO, rhythm: Rhythm, ended: threading.Event) -> None:
    started = time.monotonic()
    start, end = ("\r\x1b[K", "") if stream.isatty() else ("", "\n")
    wait_seconds, told = rhythm.first_seconds, False
    while not ended.wait(wait_seconds):
        stream.write(f"{start}{time.monotonic() - started:.0f} s: {describe()}{end}")
        stream.flush()
        wait_seconds, told = rhythm.every_seconds, True
    if told and start:
        stream.write(start)
        stream.flush()


def add_up(folder: Path) -> dict[str, int]:
    """The counters so far, of all processes."""
    found: dict[str, int] = {}
    for file in folder.iterdir():
        for line in file.read_text().splitlines(keepends=True):
            name, _, number = line.rpartition(" ")
            if line.endswith("\n"):  # the last one may be half written
                found[name] = found.get(name, 0) + int(number)
    return found


def describe_progress(counters: Mapping[str, int], ranges: int, output: str) -> str:
    """What the job is doing, by its counters.

    >>> describe_progress({"ranges_read": 3, "events_read": 61200}, 12, "duckdb:shop.duckdb")
    'reading, part 4 of 12, 61,200 events so far'
    """
    read, accepted = counters.get(counting.READ, 0), counters.get(counting.ACCEPTED, 0)
    parts = counters.get(counting.RANGES, 0)
    if not counters:
        return f"starting; {ranges:,} parts to read" if ranges > 1 else "starting"
    if parts < ranges:
        return f"reading, part {parts + 1:,} of {ranges:,}, {read:,} events so far"
    if not accepted:
        return f"{read:,} events read; finding duplicates, and whose each event is"
    settled = accepted + sum(
        number
        for name, number in counters.items()
        if name in (counting.DUPLICATE, counting.ERASED, counting.RETRACTED) or name.startswith(counting.FAILED)
    )
    if settled < read:
        return f"building profiles, {counters.get(counting.PROFILES, 0):,} so far, {settled / read:.0%} of the events"
    return f"writing {output}"
