"""One folder for everything temporary of a job: ours, Beam's and what its workers make.

It goes when the job ends. What a killed one leaves is swept by the next: a folder's owner holds a lock on a file in it
for as long as it lives, whatever kills it. Process ids would not do, since the same number is another process in a
container that shares the folder for temporary files.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

_PREFIX = "tidemark-job-"
_LOCK = "in-use"


@contextmanager
def own_temporary_folder() -> Iterator[Path]:
    """The folder is that of `tempfile` and of child processes meanwhile."""
    base = Path(tempfile.gettempdir())
    _sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    before, given = tempfile.tempdir, os.environ.get("TMPDIR")
    try:
        with _locked(folder / _LOCK):
            tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
            yield folder
    finally:
        tempfile.tempdir = before
        if given is None:
            os.environ.pop("TMPDIR", None)
        else:
            os.environ["TMPDIR"] = given
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """SIGTERM ends the job as Ctrl-C does: by KeyboardInterrupt, so that it takes away what it has made.

    The event is set then. Beam makes another exception of one that comes while it runs our code.
    """
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _sweep(base: Path) -> None:
    for folder in base.glob(f"{_PREFIX}*"):
        try:
            with _locked(folder / _LOCK, make=False):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # its owner lives, has not locked it yet, or is somebody else
            continue


@contextmanager
def _locked(path: Path, *, make: bool = True) -> Iterator[IO[str]]:
    with path.open("w" if make else "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield lock
