"""Progress of long work, on standard error."""

from __future__ import annotations

import sys
from typing import TextIO

_WORTH_SHOWING = 20
"""Work in fewer pieces is over before one could read about it."""


class Progress:
    """Rewrites one line of a terminal; elsewhere says each kind of work once, when it is done."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._shown = False

    def __call__(self, what: str, done: int, total: int) -> None:
        """`done` of `total` pieces of some work are done."""
        if total < _WORTH_SHOWING:
            return
        if self._stream.isatty():
            self._stream.write(f"\r\x1b[K{what} {done * 100 // total} %")
            self._stream.flush()
            self._shown = True
        elif done == total:
            self._stream.write(f"{what}: done\n")

    def clear(self) -> None:
        """Takes the line away, before something else is printed."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = False
