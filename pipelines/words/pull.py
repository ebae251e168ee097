"""A pull in words: how far it is, and what it did."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TextIO

from pipelines.io.pull.puller import PullCounts
from transforms.pull.dates import iso_text
from transforms.pull.definition import SourceDefinition

_EVERY_SECONDS = 1.0
_LOG_EVERY_SECONDS = 10.0


class PullProgress:
    """Rewrites one line of a terminal; a log gets a line now and then."""

    def __init__(self, name: str, stream: TextIO | None = None) -> None:
        self._name = name
        self._stream = sys.stderr if stream is None else stream
        self._on_terminal = self._stream.isatty()
        self._told_at = time.monotonic()

    def __call__(self, counts: PullCounts) -> None:
        now = time.monotonic()
        if now - self._told_at >= (_EVERY_SECONDS if self._on_terminal else _LOG_EVERY_SECONDS):
            self._told_at = now
            sent = counts.new + counts.changed
            self._say(f"{self._name}: page {counts.pages:,}, {counts.rows:,} rows, {sent:,} events so far")

    def wait(self, text: str) -> None:
        """The API made it wait."""
        self._say(f"{self._name}: {text}")

    def clear(self) -> None:
        if self._on_terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _say(self, text: str) -> None:
        self._stream.write(f"\r\x1b[K{text}" if self._on_terminal else f"{text}\n")
        self._stream.flush()


def summary_lines(
    counts: PullCounts, requests: int, target: str, cursor_us: int | None, definition: SourceDefinition
) -> Iterator[str]:
    """What a pull did."""
    passes = f" in {counts.passes} passes" if counts.passes > 1 else ""
    known = counts.rows - counts.new - counts.changed
    yield f"Source    {definition.name}"
    yield f"Requests  {requests:,} ({counts.pages:,} pages{passes})"
    yield f"Rows      {counts.rows:,}"
    yield f"  new     {counts.new:,}"
    yield f"  changed {counts.changed:,}"
    yield f"  known   {known:,}"
    retracted = f", {counts.retracted:,} of them take former versions back" if counts.retracted else ""
    yield f"Events    {counts.new + counts.changed + counts.retracted:,}{retracted}"
    for field, number in sorted(counts.unreadable.items()):
        yield f"  {field}: {number:,} values could not be read, and were sent as they are"
    if not counts.settled:
        yield "  rows kept changing while they were read: the next pull begins where this one did"
    if definition.changed is not None:
        yield f"Changed   up to {'-' if cursor_us is None else iso_text(cursor_us)}"
    yield f"Output    {target}"
