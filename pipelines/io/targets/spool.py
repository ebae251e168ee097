"""Events as NDJSON files that appear when they are complete, for `--input watch:DIR` or a later batch."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Sequence
from pathlib import Path

from pipelines.io.files.atomic import replace_file
from pipelines.io.targets.target import OutgoingEvent, TargetError

_NUMBERS = itertools.count()


class SpoolTarget:
    """A folder. Each `send` is a file of its own; `watch:` passes over names that begin with a point."""

    def __init__(self, directory: str) -> None:
        self._folder = Path(directory)

    def check(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            probe = self._folder / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise TargetError(f"{self._folder}: cannot be written to: {error.strerror}") from error

    def send(self, events: Sequence[OutgoingEvent]) -> None:
        if not events:
            return
        name = f"events-{time.time_ns():020d}-{os.getpid()}-{next(_NUMBERS)}.ndjson"
        part = self._folder / f".{name}"
        try:
            part.write_bytes(b"".join(event.line + b"\n" for event in events))
            replace_file(part, self._folder / name)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise TargetError(f"{self._folder}: cannot be written to: {error.strerror}") from error

    def close(self) -> None:
        """Nothing is held open."""
