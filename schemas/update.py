"""A row of an output table as a stream writes it: again and again, the greatest version stands."""

from __future__ import annotations

from typing import Any, NamedTuple


class RowUpdate(NamedTuple):
    """The newest word on one row.

    `row` follows the table's columns (values as in `TableBlock`: instants in microseconds, JSON as text or bytes);
    where `withdrawn` only its key columns count: the row is gone. Of two updates with the same key the one with the
    greater `version` stands; writing one twice changes nothing.
    """

    table: str
    row: tuple[Any, ...]
    version: int
    withdrawn: bool = False
