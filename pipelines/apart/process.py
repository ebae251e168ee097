"""The second process as the job's own sees it: it is started, asked what it has counted, and looked after."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from multiprocessing import Pipe
from pathlib import Path
from typing import Final

from pipelines.apart.worker import Ask, Said, WorkerStart
from pipelines.words.failure import LOST_WORKER
from transforms.numbers import NOTHING, Numbers
from transforms.state.process import PROCESS, Registry

_ANSWER_SECONDS: Final = 2.0
_PROGRAM: Final = "from pipelines.apart.worker import main; main()"


class ProcessApart:
    """The process, from when it begins to import Beam to its end."""

    def __init__(self) -> None:
        self._ours, theirs = Pipe()
        path = os.pathsep.join(one or str(Path.cwd()) for one in sys.path)
        self._process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-c", _PROGRAM, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": path},
        )
        theirs.close()
        self._numbers: Numbers = NOTHING
        self._answered = threading.Condition()
        self._answers = 0
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def start(self, start: WorkerStart) -> None:
        """Has it work for a runner."""
        with self._answered:  # whoever asks for numbers sends as well
            self._ours.send(start)

    def numbers(self) -> Numbers:
        """What it has counted; what it said last if it does not answer."""
        with self._answered:
            before = self._answers
            try:
                self._ours.send(Ask())
            except OSError:
                return self._numbers
            self._answered.wait_for(lambda: self._answers > before or not self._listener.is_alive(), _ANSWER_SECONDS)
            return self._numbers

    def check(self) -> None:
        """Raises RuntimeError if it has ended before its work was done: the runner would wait for it for ever."""
        if self._process.poll():
            raise RuntimeError(LOST_WORKER)

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()
        self._ours.close()

    def _listen(self) -> None:
        try:
            while True:
                message = self._ours.recv()
                if isinstance(message, Said):
                    logging.getLogger(message.logger).log(message.level, "%s", message.text)
                    continue
                with self._answered:
                    self._numbers, self._answers = message, self._answers + 1
                    self._answered.notify_all()
        except (EOFError, OSError):
            with self._answered:
                self._answered.notify_all()


_PROCESSES: Registry[str, ProcessApart] = PROCESS.registry(ProcessApart.close, at_exit=True)
_ONE: Final = "apart"


def process_apart() -> ProcessApart:
    """The one of this job, which begins with the first call."""
    return _PROCESSES.get(_ONE, ProcessApart)


def check_apart() -> None:
    """Raises RuntimeError if the process is lost."""
    for _, process in _PROCESSES.snapshot():
        process.check()


def numbers_apart() -> list[Numbers]:
    """What has been counted there, if there is such a process."""
    return [process.numbers() for _, process in _PROCESSES.snapshot()]
