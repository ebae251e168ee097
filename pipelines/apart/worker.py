"""What the second process does: Beam's worker for the stages that are set apart, until its parent is gone."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import NamedTuple

from pipelines.import_beam import import_beam, lasting_imports
from pipelines.words.failure import OURS
from transforms.counting import counted_here
from transforms.numbers import Numbers

_FIRST_SHORT_ID = 1 << 32
"""Workers give their metrics short names, and Prism 2.77 takes those of all workers of a job to be one worker's."""


class WorkerStart(NamedTuple):
    """What a runner says of a worker that it wants, and what the job's options say of it."""

    control_url: str
    worker_id: str
    state_cache_bytes: int
    data_buffer_ms: int


class Said(NamedTuple):
    """What our code logs in the process, for the parent to log."""

    logger: str
    level: int
    text: str


class Ask(NamedTuple):
    """The parent asks what the process has counted; the answer are `Numbers`."""


def main() -> None:
    """Imports Beam, and works as soon as it is told for whom. The command's one argument is a pipe to the parent."""
    for each in (signal.SIGINT, signal.SIGTERM):  # the parent hears them too, and its end is this process's
        signal.signal(each, signal.SIG_IGN)
    parent = Parent(Connection(int(sys.argv[1])))
    for name in OURS:
        logging.getLogger(name).addHandler(ToParent(parent))
    starts: SimpleQueue[WorkerStart] = SimpleQueue()
    threading.Thread(target=_listen, args=(parent, starts), daemon=True).start()
    with lasting_imports():
        import_beam(stores=False)
        from apache_beam.runners.worker import sdk_worker
    sdk_worker.SHORT_ID_CACHE._last_short_id = _FIRST_SHORT_ID
    start = starts.get()
    sdk_worker.SdkHarness(
        start.control_url,
        worker_id=start.worker_id,
        state_cache_size=start.state_cache_bytes,
        data_buffer_time_limit_ms=start.data_buffer_ms,
    ).run()
    parent.send(counted_here())


def _listen(parent: Parent, starts: SimpleQueue[WorkerStart]) -> None:
    """Answers the parent. When it is gone, however it ended, so is this process."""
    try:
        while True:
            message = parent.recv()
            if isinstance(message, WorkerStart):
                starts.put(message)
            else:
                parent.send(counted_here())
    except (EOFError, OSError):
        os._exit(1)


class Parent:
    """The parent, for all threads: two that send at once would mix up what they say."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def send(self, message: Said | Numbers) -> None:
        """Says something, if there is still somebody to hear it."""
        with self._lock, suppress(OSError):
            self._pipe.send(message)

    def recv(self) -> WorkerStart | Ask:
        """What it says next. Only one thread listens."""
        message: WorkerStart | Ask = self._pipe.recv()
        return message


class ToParent(logging.Handler):
    """Hands warnings on to the parent."""

    def __init__(self, parent: Parent) -> None:
        super().__init__(logging.WARNING)
        self._parent = parent

    def emit(self, record: logging.LogRecord) -> None:
        self._parent.send(Said(record.name, record.levelno, record.getMessage()))
