"""A block of rows on its way to an output table, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa


class TableBlock(NamedTuple):
    """Some rows of one table. A few thousand rows a block, 20,000 or more for `events`, keep the cost per row low.

    `columns` follow `Table.columns`, all of one length: lists, or Arrow arrays of the column's type. TIMESTAMP columns
    hold whole microseconds, DATE columns ISO 8601 text, JSON columns JSON text (str or UTF-8 bytes), repeated columns
    lists of str (never None).

    `order` places the block among the blocks of its table where the table is too large to sort (`events`): unique in
    the table, and the same whatever way the input was split.
    """

    table: str
    order: int
    columns: tuple[Sequence[Any] | pa.Array, ...]
