"""What the shelves of a job hold at first: cells that were made of its history before it began, in files of a folder.

A shelf of which the runner's state knows nothing yet begins with these blocks. They are read again with its log, by
whoever has to read that, until the log is rewritten whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class BootShelves:
    """The folder. All processes that work for the job see it under the same path, for as long as the job lasts."""

    folder: str

    def write(self, cells: str, bucket: str, part: int, block: bytes) -> None:
        """Keeps a block of cells of a shelf.

        Args:
            cells: the name of their class.
            bucket: the shelf.
            part: tells the blocks of a shelf apart.
            block: as `shelf.block_of` makes it.
        """
        Path(self.folder, f"{cells}-{bucket}-{part}").write_bytes(block)

    def blocks(self, cells: str, bucket: str) -> Iterator[bytes]:
        """The blocks of a shelf."""
        for path in self._paths(cells, bucket):
            yield path.read_bytes()

    def size_bytes(self, cells: str, bucket: str) -> int:
        """Of all blocks of a shelf, as they lie there."""
        return sum(path.stat().st_size for path in self._paths(cells, bucket))

    def drop(self, cells: str, bucket: str) -> None:
        """Removes the blocks of a shelf, if they are still there."""
        for path in self._paths(cells, bucket):
            path.unlink(missing_ok=True)

    def _paths(self, cells: str, bucket: str) -> list[Path]:
        return sorted(Path(self.folder).glob(f"{cells}-{bucket}-*"))
