"""Runs a command as if it were this process: signals reach it, and it does not outlive this process."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from types import FrameType

import psutil

_PR_SET_PDEATHSIG = 1


def run_in_place(command: list[str], *, through_unshare: bool = False) -> int:
    """Runs the command to its end; returns its exit status, negative for a signal.

    SIGTERM goes on to it. So does SIGINT, unless the terminal has sent that to both already. On Linux it is killed when
    this process is, by SIGKILL too.

    Args:
        command: what to run.
        through_unshare: whether it is `unshare --fork`, which hands no signal on: they go to its children.
    """
    with subprocess.Popen(command, preexec_fn=_die_with_parent) as child:  # noqa: PLW1509 - nothing but a system call

        def forward(number: int, _frame: FrameType | None) -> None:
            if number == signal.SIGINT and _is_of_terminal():
                return
            for pid in _children(child.pid) if through_unshare else [child.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

        before = {each: signal.signal(each, forward) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            return child.wait()
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def _die_with_parent() -> None:
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    try:
        return [process.pid for process in psutil.Process(pid).children()]
    except psutil.NoSuchProcess:
        return []


def _is_of_terminal() -> bool:
    """Whether Ctrl-C reaches all processes of this one's group."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
