"""Blocks of records on their way from one stage to the next, in files of a temporary folder.

Every process appends to files of its own, so nothing is locked; a bucket's blocks are read once all are written. The
files are mostly in the page cache: what they cost over memory is a copy, what they save is memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from transforms.blocks import Buckets

_LENGTH_BYTES = 8


class Exchange:
    """One process's end of it. `folder` is shared by all processes."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._files: dict[Path, IO[bytes]] = {}

    def write(self, stage: str, records: Buckets) -> None:
        """Appends each bucket's records to what the stage holds for the bucket."""
        for bucket, block in records.blocks():
            file = self._file(stage, bucket)
            file.write(len(block).to_bytes(_LENGTH_BYTES, "little"))
            file.write(block)

    def flush(self) -> None:
        """Makes what was written readable for other processes. Files stay open until `close`."""
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        """Ends writing."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def read(self, stage: str, bucket: int) -> Iterator[bytes]:
        """The blocks of a bucket, whoever wrote them; in no defined order."""
        for path in sorted(self._folder.glob(f"{stage}-{bucket}-*")):
            with path.open("rb") as file:
                while length := file.read(_LENGTH_BYTES):
                    yield file.read(int.from_bytes(length, "little"))

    def drop(self, stage: str, bucket: int) -> None:
        """Deletes a bucket's blocks, which nobody will read again."""
        for path in self._folder.glob(f"{stage}-{bucket}-*"):
            path.unlink()

    def _file(self, stage: str, bucket: int) -> IO[bytes]:
        path = self._folder / f"{stage}-{bucket}-{os.getpid()}"
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = path.open("ab")
        return file
