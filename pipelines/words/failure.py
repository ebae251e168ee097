"""Why a job failed, in a paragraph rather than a traceback."""

from __future__ import annotations

import gc
import logging
import os
import re
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final, TextIO

from pipelines.words.log import TEXT

WIDTH: Final = 100
OURS: Final = ("pipelines", "transforms")
_STEP: Final = re.compile(r" \[while running '([^']*)'\]")
_MODULES: Final = re.compile(r"^(?:\w+\.)+(?=\w+:)")
_TRACEBACK: Final = "Traceback (most recent call last):\n"
LOST_WORKER: Final = "Channel closed prematurely"
"""What Beam says of a worker process that has ended too soon."""
# What the steps of a job's graph do, by the start of their names.
_STEPS: Final = {
    "ReadFiles": "reading the input",
    "DeduplicateEvents": "looking for duplicates",
    "ResolveIdentity": "finding out whose each event is",
    "Build": "building profiles",
    "WriteReceipts": "writing receipts of erasure",
    "WriteTables": "writing the tables",
}


@contextmanager
def quiet_beam(*, verbose: bool) -> Iterator[None]:
    """Keeps Beam and its worker processes from printing a failure's whole traceback: `describe_failure` tells it."""
    logger = logging.getLogger("apache_beam")
    level = logger.level
    logger.setLevel(logging.INFO if verbose else logging.CRITICAL)
    try:
        with nullcontext() if verbose else _quiet_workers():
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _quiet_workers() -> Iterator[None]:
    """Worker processes inherit the descriptor of stderr: meanwhile it is a file that nobody reads, and ours another."""
    inherited = 2
    saved, ours, hook = os.dup(inherited), sys.stderr, threading.excepthook
    with tempfile.TemporaryFile() as unread, os.fdopen(saved, "w", buffering=1) as still_shown:
        if ours is sys.__stderr__:
            sys.stderr = still_shown
        os.dup2(unread.fileno(), inherited)
        # The threads that wait for a worker raise when it ends too soon; the job itself fails of it, and says so.
        threading.excepthook = lambda raised: None if _serves_worker(raised.thread) else hook(raised)
        try:
            with _our_warnings_on(still_shown) if ours is sys.__stderr__ else nullcontext():
                yield
        finally:
            threading.excepthook = hook
            os.dup2(saved, inherited)
            sys.stderr = ours


@contextmanager
def _our_warnings_on(stream: TextIO) -> Iterator[None]:
    """What our own code warns of, such as a broker that is away, is for whoever runs the job; others' is not."""
    handler = logging.StreamHandler(stream)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter(TEXT))
    loggers = [logging.getLogger(name) for name in OURS]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


def _serves_worker(thread: threading.Thread | None) -> bool:
    return thread is not None and thread.name.startswith(("run_worker", "beam_"))


def end_quietly() -> None:
    """For a process that ends now: what Beam's threads say of work that is cut off is no news. It says it thrice.

    Keep `sys.stderr` before, to say anything more.
    """
    gc.freeze()  # Python's last collections would take 0.3 s, and what they find goes with the process anyway
    logging.disable(logging.CRITICAL)
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - closed with the process
    threading.excepthook = lambda _: None


def describe_failure(error: BaseException, output: str) -> str:
    """The cause of a failed job, what it was doing, and what has become of the output.

    Args:
        error: what running the job raised. Beam hands on the whole traceback of a worker process as its text.
        output: where the tables go.
    """
    cause, step = read_cause(error)
    inner = step.removeprefix("BuildTables/")
    doing = next((words for start, words in _STEPS.items() if inner.startswith(start)), step)
    text = f"The job failed{f' while {doing}' if doing else ''}: {cause}"
    if not text.endswith((".", "!", "?")):
        text += "."
    text += f" {output} is what it was before. --verbose shows where in the code it happened."
    return "\n".join(textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def read_cause(error: BaseException) -> tuple[str, str]:
    """The exception that ended the job, and the name of the step ("" where it is not known)."""
    text = str(error)
    if _TRACEBACK in text:
        lines = text.rpartition(_TRACEBACK)[2].splitlines()
        # Frames are indented; the exception and its message follow them.
        frames = next((place for place, line in enumerate(lines) if not line.startswith("  ")), 0)
        text = _MODULES.sub("", " ".join(line.strip() for line in lines[frames:]))
    else:
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if LOST_WORKER in text:
        text = "a worker process ended before its work was done; was there too little memory?"
    step = _STEP.search(text)
    return _STEP.sub("", text).strip(), step[1] if step else ""
