"""Writes events into a spool folder. Every process has a file of its own: nothing is locked between them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

from pipelines.io.spool.segment import Segment, recover_segments

PUBLISH_SECONDS = 1.0
SEGMENT_BYTES = 64 * 1024 * 1024
_LEAST_FREE_BYTES = 1024 * 1024


class SpoolWriter:
    """Events into files of `folder`, which is made where it is missing. For one thread.

    Args:
        folder: the spool; a job reads it as `watch:FOLDER`.
        publish_seconds: how long events may wait, safe but unseen, until their file is complete.
        segment_bytes: a file is complete when it is longer.
    """

    def __init__(
        self, folder: Path, publish_seconds: float = PUBLISH_SECONDS, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self._folder = folder
        self._publish_seconds = publish_seconds
        self._segment_bytes = segment_bytes
        self._segment: Segment | None = None

    def open(self) -> None:
        """Publishes what crashed writers left.

        Raises:
            OSError: the folder cannot be used.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        recover_segments(self._folder)

    def write(self, events: Sequence[bytes]) -> None:
        """Takes events (one JSON object each, without line breaks). They are safe when it returns.

        Raises:
            OSError: none of them is in the spool.
        """
        if self._segment is None:
            self._segment = Segment(self._folder)
        try:
            self._segment.append(b"\n".join(events) + b"\n")
        except OSError:
            self._publish()
            raise

    def rest(self) -> float | None:
        """Publishes a file that is complete. Returns after how many seconds to ask again; None: not before a write."""
        if self._segment is None:
            return None
        left = self._segment.opened_at + self._publish_seconds - time.monotonic()
        if left > 0 and self._segment.size_bytes < self._segment_bytes:
            return left
        self._publish()
        return None

    def check(self) -> str:
        """Nothing if it could take events now, else what stands in the way."""
        try:
            disk = os.statvfs(self._folder)
        except OSError as error:
            return f"the spool: {error.strerror}"
        if disk.f_bavail * disk.f_frsize < _LEAST_FREE_BYTES:
            return "the spool: the disk is full"
        return "" if os.access(self._folder, os.W_OK | os.X_OK) else "the spool: permission denied"

    def close(self) -> None:
        """Publishes the last file."""
        self._publish()

    def _publish(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            with contextlib.suppress(OSError):  # it is safe under its hidden name, and the next start publishes it
                segment.publish()
