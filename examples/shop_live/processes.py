"""The processes behind the live view: started in sessions of their own, so that Ctrl-C reaches the view alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from pipelines.io.files.watched_files import of_positions, read_journal

_LAST_LINES = 12
_STOP_SECONDS = 60.0


class Children:
    """Modules that run beside this process, each with a log of its own.

    Args:
        folder: of the logs.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._groups: set[int] = set()
        self._logs: list[IO[bytes]] = []

    def start(self, name: str, module: str, arguments: Sequence[str], *, whole_group: bool = False) -> None:
        """Runs `python -m MODULE ARGUMENTS`.

        Args:
            name: of its log.
            module: of this project.
            arguments: its command line.
            whole_group: whether all that it started is told to end with it: a wrapper hands no signal on.
        """
        log = (self._folder / f"{name}.txt").open("wb")
        self._logs.append(log)
        self._running[name] = subprocess.Popen(  # noqa: S603 - this project's own modules
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if whole_group:
            self._groups.add(self._running[name].pid)

    def ended(self) -> str | None:
        """The name of one that has ended, if one has."""
        return next((name for name, process in self._running.items() if process.poll() is not None), None)

    def last_words(self) -> str:
        """The end of the log of the one that has ended."""
        name = self.ended()
        text = "" if name is None else (self._folder / f"{name}.txt").read_text(errors="replace")
        return "\n".join(text.splitlines()[-_LAST_LINES:])

    def stop(self) -> None:
        """Ends all of them, last started first: SIGINT, and SIGKILL when one does not end."""
        for process in reversed(self._running.values()):
            if process.poll() is None:
                if process.pid in self._groups:
                    os.killpg(process.pid, signal.SIGINT)
                else:
                    process.send_signal(signal.SIGINT)
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        for log in self._logs:
            log.close()


def remove_read_files(journal: Path, folder: Path) -> int:
    """Removes the files of a folder that a job has read whole, by what its journal says. Returns how many."""
    read = of_positions(read_journal(str(journal)))
    done = [
        file for file in folder.iterdir() if str(file) in read and read[str(file)].read_bytes == file.stat().st_size
    ]
    for file in done:
        file.unlink()
    return len(done)
