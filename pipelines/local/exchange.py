"""Blocks on their way from one stage to the next, in files of a temporary folder.

Every process appends to files of its own, so nothing is locked; a bucket's blocks are read once all are written. The
files are mostly in the page cache: what they cost over memory is a copy, what they save is memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_LENGTH_BYTES = 8


class Exchange:
    """One process's end of it. `folder` is shared by all processes."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def write(self, stage: str, bucket: int, block: bytes) -> None:
        """Appends to what the stage holds for the bucket."""
        # Opened each time: there can be more buckets than a process may have open files.
        with (self._folder / f"{stage}-{bucket}-{os.getpid()}").open("ab") as file:
            file.write(len(block).to_bytes(_LENGTH_BYTES, "little"))
            file.write(block)

    def read(self, stage: str, bucket: int) -> Iterator[bytes]:
        """The blocks of a bucket, whoever wrote them; in no defined order."""
        for path in sorted(self._folder.glob(f"{stage}-{bucket}-*")):
            with path.open("rb") as file:
                while length := file.read(_LENGTH_BYTES):
                    yield file.read(int.from_bytes(length, "little"))

    def drop(self, bucket: int, *stages: str) -> None:
        """Deletes a bucket's blocks, which nobody will read again."""
        for stage in stages:
            for path in self._folder.glob(f"{stage}-{bucket}-*"):
                path.unlink()
