"""Some rows of a table that are not copied until they have to be.

An event's texts are most of its bytes. What is to be decided about it (does it stand, whose is it, where does it go)
takes a few short columns, so all of that happens first, and then the texts are copied once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from transforms.columns.pieces import one_piece


class Selection(NamedTuple):
    """Rows of a table, in an order of their own.

    Attributes:
        table: each column in one piece.
        rows: the places of the rows, each at most once; None: all of them, as they stand.
    """

    table: pa.Table
    rows: np.ndarray | None = None

    @property
    def num_rows(self) -> int:
        return self.table.num_rows if self.rows is None else len(self.rows)

    @property
    def places(self) -> np.ndarray:
        """The places of the rows in the table."""
        return np.arange(self.table.num_rows) if self.rows is None else self.rows

    def column(self, name: str) -> pa.Array:
        """One column of the rows."""
        whole = one_piece(self.table.column(name))
        return whole if self.rows is None else whole.take(pa.array(self.rows))

    def numbers(self, name: str) -> np.ndarray:
        """One column of the rows, of numbers that are nowhere null."""
        whole: np.ndarray = self.table.column(name).to_numpy()
        return whole if self.rows is None else whole[self.rows]

    def where(self, keep: np.ndarray) -> Selection:
        """The rows of which the mask is true."""
        return self if keep.all() else self.take(np.flatnonzero(keep))

    def take(self, places: np.ndarray) -> Selection:
        """The rows at some places among these, in their order."""
        return Selection(self.table, places if self.rows is None else self.rows[places])

    def with_column(self, field: pa.Field, values: pa.Array) -> Selection:
        """With one more column, of which these are the values of the rows; of other rows there is none."""
        if self.rows is not None:
            places = np.full(self.table.num_rows, -1)
            places[self.rows] = np.arange(len(self.rows))
            values = values.take(pa.array(places, mask=places < 0))
        return Selection(self.table.append_column(field, values), self.rows)

    def copied(self) -> pa.Table:
        """The rows as a table."""
        return self.table if self.rows is None else self.table.take(pa.array(self.rows))

    def select(self, names: list[str]) -> pa.Table:
        """Some columns of the rows as a table."""
        return Selection(self.table.select(names), self.rows).copied()
