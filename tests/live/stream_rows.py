"""Rows of streams, for tests of what writes them."""

from typing import Any

from schemas.tables import TABLES
from schemas.update import RowUpdate

_TABLES = {table.name: table for table in TABLES}
_FILLERS: dict[str, Any] = {
    "STRING": "x",
    "INTEGER": 0,
    "FLOAT": 0.0,
    "BOOLEAN": False,
    "TIMESTAMP": 0,
    "DATE": "2026-01-01",
    "JSON": "{}",
    "BYTES": b"",
}


def update(table: str, word: int = 1, *, withdrawn: bool = False, **values: Any) -> RowUpdate:
    """A row with these values, and something in every other column that may not be null. `word` is its version."""
    row = []
    for column in _TABLES[table].columns:
        filler = [] if column.repeated else _FILLERS[column.type] if column.required else None
        row.append(values.pop(column.name, filler))
    assert not values, f"{table} has no {sorted(values)}"
    return RowUpdate(table, tuple(row), word, withdrawn)
