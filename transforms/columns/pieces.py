"""A column in one piece."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa


def one_piece(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """All values of a column as one array. What is one already is not copied, as `combine_chunks` does."""
    return joined(column.chunks, column.type) if isinstance(column, pa.ChunkedArray) else column


def joined(pieces: Sequence[pa.Array], kind: pa.DataType) -> pa.Array:
    """Arrays of one type, one after the other."""
    if not pieces:
        return pa.array([], kind)
    return pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces)
