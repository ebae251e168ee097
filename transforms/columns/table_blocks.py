"""Columns as blocks of an output table, without a row in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from schemas.arrow import JSON, arrow_schema
from schemas.block import TableBlock
from schemas.tables import Table
from transforms.columns.events import TEXT
from transforms.columns.pieces import one_piece

ROWS_PER_BLOCK: Final = 100_000
BYTES_PER_BLOCK: Final = 512 * 1024 * 1024
"""Well below the 2 GB that a column of text may have in the output."""
BLOCKS_PER_ORDER: Final = 100_000
_LARGEST_OFFSET: Final = 2**31 - 1


def columns_block(table: Table, columns: pa.Table | Sequence[pa.Array], order: int = 0) -> TableBlock:
    """Columns in the order of the table's, of types that stand for theirs (instants as whole microseconds)."""
    schema = arrow_schema(table)
    arrays = columns.columns if isinstance(columns, pa.Table) else columns
    return TableBlock(
        table.name, order, tuple(_as(array, field.type) for array, field in zip(arrays, schema, strict=True))
    )


def ordered_blocks(table: Table, columns: pa.Table, order: int) -> Iterator[TableBlock]:
    """The same in blocks that are not too large, at places that follow each other."""
    rows = ROWS_PER_BLOCK
    if columns.nbytes > BYTES_PER_BLOCK:
        rows = max(1, min(rows, columns.num_rows * BYTES_PER_BLOCK // columns.nbytes))
    for number, start in enumerate(range(0, columns.num_rows, rows)):
        yield columns_block(table, columns.slice(start, rows), order * BLOCKS_PER_ORDER + number)


def _as(array: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    storage = JSON.storage_type if kind == JSON else kind
    whole = one_piece(array)
    if whole.type == TEXT and _end_of_text(whole) > _LARGEST_OFFSET:  # of a slice
        whole = pa.concat_arrays([whole])
    return whole if whole.type == storage else whole.cast(storage)


def _end_of_text(array: pa.Array) -> int:
    """Where in its buffer the text of the last value ends."""
    return int(np.frombuffer(array.buffers()[1], np.int64)[array.offset + len(array)]) if len(array) else 0


def lists_of(values: pa.Array, offsets: np.ndarray) -> pa.Array:
    """List i holds values[offsets[i]:offsets[i + 1]]."""
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values.cast(pa.string()))
