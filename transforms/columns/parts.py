"""Some rows of blocks that stay as they are: which ones travels beside a block, instead of a copy of them.

Whose an anonymous event is, is decided by three short columns. Most of them stay where they are, and half of all events
may be one visitor's: their texts are read once, by who needs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from transforms.columns.blocks import concatenated, pack, unpack
from transforms.columns.selection import Selection

Part = tuple[bytes, bytes]
"""A block, and which of its rows: a bit for each."""
_WORTH_A_COPY: Final = 0.5
"""Where less of a block's rows are wanted, they are copied: who takes a part unpacks all of its block."""


class Blocks:
    """Packed blocks of one schema, as if they were one table."""

    def __init__(self, packed: Iterable[bytes], schema: pa.Schema) -> None:
        self._packed = list(packed)
        self._schema = schema
        self._starts = np.zeros(1, np.int64)

    def heads(self, names: Sequence[str]) -> list[pa.Table]:
        """Some columns of each block."""
        tables = [unpack(block, [self._schema.get_field_index(name) for name in names]) for block in self._packed]
        self._starts = np.concatenate(([0], np.cumsum([table.num_rows for table in tables], dtype=np.int64)))
        return tables

    def copied(self, rows: np.ndarray) -> pa.Table:
        """Rows, whose places are sorted, with all columns. `heads` comes first."""
        tables = (unpack(block).take(pa.array(places)) for block, places, _ in self._by_block(rows))
        return concatenated(tables, self._schema)

    def parts(self, rows: np.ndarray) -> Iterator[Part]:
        """The same rows without a copy of them."""
        for block, places, count in self._by_block(rows):
            if len(places) < count * _WORTH_A_COPY:
                yield whole(unpack(block).take(pa.array(places)))
                continue
            chosen = np.zeros(count, bool)
            chosen[places] = True
            yield block, np.packbits(chosen).tobytes()

    def _by_block(self, rows: np.ndarray) -> Iterator[tuple[bytes, np.ndarray, int]]:
        """(block, places of its rows, how many rows it has) of each block that has any of the rows."""
        cuts = rows.searchsorted(self._starts).tolist()
        for number, block in enumerate(self._packed):
            places = rows[cuts[number] : cuts[number + 1]] - self._starts[number]
            if len(places):
                yield block, places, int(self._starts[number + 1] - self._starts[number])


def whole(rows: pa.Table | pa.RecordBatch) -> Part:
    """All of some rows, as a part."""
    return pack(rows), np.packbits(np.ones(rows.num_rows, bool)).tobytes()


def selected(parts: Iterable[Part], schema: pa.Schema) -> Selection:
    """The rows of some parts."""
    chosen = list[np.ndarray]()

    def tables() -> Iterator[pa.Table]:
        for block, bits in parts:
            table = unpack(block)
            chosen.append(np.unpackbits(np.frombuffer(bits, np.uint8), count=table.num_rows).astype(bool))
            yield table

    every = concatenated(tables(), schema)
    return Selection(every).where(np.concatenate([*chosen, np.zeros(0, bool)]))
