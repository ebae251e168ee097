"""What the shelves of a job hold at first: cells that were made of its history before it began, in files of a folder.

A shelf begins with them, and looks one up when it needs it (first_cells.py). What it changes is in its log, which goes
before. The files last as long as the job.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from transforms.state.first_cells import CellChunk, FirstCells, PackedCell, write_cells

LEAST_PARTS = 16


def part_count(buckets: int) -> int:
    """How many parts the keys have: so that each part is on one of so many shelves."""
    return buckets * -(-LEAST_PARTS // buckets)


@dataclass(frozen=True, slots=True)
class BootShelves:
    """The folder. All processes that work for the job see it under the same path, for as long as the job lasts.

    `buckets`: how many shelves a stage has.
    """

    folder: str
    buckets: int

    def write(self, cells: str, part: int, packed: Iterable[PackedCell | CellChunk], *, wakes: bool = True) -> None:
        """Keeps cells.

        Args:
            cells: the name of their class.
            part: that all their keys are in (`first_cells.part_of`).
            packed: the cells, or chunks of them.
            wakes: whether each is woken when it wants to be.
        """
        write_cells(self._path(cells, part), packed, wakes=wakes)

    def of_shelf(self, cells: str, bucket: str) -> FirstCells:
        """The cells of a shelf."""
        parts = part_count(self.buckets)
        numbers = range(int(bucket), parts, self.buckets)
        return FirstCells({number: self._path(cells, number) for number in numbers}, parts)

    def _path(self, cells: str, part: int) -> Path:
        return Path(self.folder, f"{cells}-{part}")
