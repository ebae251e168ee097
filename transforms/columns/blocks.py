"""Blocks of columns on their way between the stages of a bounded job, a bucket's rows together.

Arrow's IPC format, compressed with lz4: to read a block is to point at its buffers. zstd makes blocks
of 0.6 of the size for 2.7 us more per event, more than the difference costs on its way through a runner.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.columns.aside import fetch, is_reference, lay_aside
from transforms.columns.pieces import joined
from transforms.columns.selection import Selection

_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="lz4")
_WORTH_A_FILE_BYTES: Final = 4096


def pack(columns: pa.Table | pa.RecordBatch) -> bytes:
    """The rows as one block; or the reference of one that this process lays aside (aside.py)."""
    table = columns.combine_chunks() if isinstance(columns, pa.Table) else pa.Table.from_batches([columns])
    if table.nbytes > _WORTH_A_FILE_BYTES and (reference := lay_aside(table, _OPTIONS)) is not None:
        return reference
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_OPTIONS) as writer:
        writer.write_table(table)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def unpack(block: bytes, columns: list[int] | None = None) -> pa.Table:
    """What `pack` was given; or some of its columns, by their places: the others are not even unpacked."""
    options = pa.ipc.IpcReadOptions(included_fields=columns)
    if is_reference(block):
        return fetch(block, options)
    with pa.ipc.open_stream(block, options=options) as reader:
        return reader.read_all()


def bucket_of(key: str, count: int) -> int:
    """The bucket that a key is in."""
    return crc32(key.encode()) % count


def partition(events: Selection, key: str, count: int) -> Iterator[tuple[int, pa.Table]]:
    """The rows by the bucket of a column that is nowhere null."""
    if not events.num_rows:
        return
    distinct = events.column(key).dictionary_encode()
    numbers = np.array([bucket_of(value, count) for value in distinct.dictionary.to_pylist()], np.int64)
    of_row = numbers[distinct.indices.to_numpy()]
    order = np.argsort(of_row, kind="stable")
    ends = np.cumsum(np.bincount(of_row, minlength=count))
    start = 0
    for bucket, end in enumerate(ends.tolist()):
        if end > start:
            yield bucket, events.take(order[start:end]).copied()
        start = end


def concatenated(tables: Iterable[pa.Table], schema: pa.Schema) -> pa.Table:
    """All rows, each column in one piece.

    Column by column: of tables that nobody else holds, the memory of one is free before the next is copied. Half of all
    events may be here.
    """
    found = [table for table in tables if table.num_rows]
    if not found:
        return schema.empty_table()
    names = found[0].column_names
    chunks = [[chunk for table in found for chunk in table.column(place).chunks] for place in range(len(names))]
    del tables, found
    columns = []
    for place in range(len(names)):
        columns.append(joined(chunks[place], schema.field(place).type))
        chunks[place].clear()
    return pa.table(columns, names=names)


def rows_where(columns: pa.Table, keep: np.ndarray) -> pa.Table:
    """The rows of which the mask is true."""
    return columns if keep.all() else columns.filter(pa.array(keep))


def is_one_of(column: pa.ChunkedArray | pa.Array, values: Iterable[str]) -> np.ndarray:
    """Whether each row's value is among these; null is not."""
    found = pc.is_in(column, value_set=pa.array(list(values), column.type))
    return np.asarray(found)


Keyed = tuple[int, bytes]


def packed_by(events: Selection, key: str, count: int) -> Iterator[Keyed]:
    """Each bucket's rows as a block."""
    for bucket, rows in partition(events, key, count):
        yield bucket, pack(rows)
