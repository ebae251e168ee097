"""Waits until one of some files is saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

POLL_SECONDS = 0.3

Wait = Callable[[Iterable[Path]], bool]
"""`wait(files)` returns once one of them has changed; False: stop watching."""


def wait_for_change(files: Iterable[Path]) -> bool:
    """Looks at the files' times until one of them differs from what it was at the call (or has gone, or come)."""
    watched = list(files)
    before = _times(watched)
    while _times(watched) == before:
        time.sleep(POLL_SECONDS)
    return True


def _times(files: Iterable[Path]) -> list[int]:
    return [_time(file) for file in files]


def _time(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:  # editors save by renaming: for a moment there is none
        return 0
