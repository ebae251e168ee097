"""Rows that their table cannot hold, or that BigQuery refused, as failures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.event import Failure
from schemas.ledger import LEDGER_TABLES
from schemas.tables import TABLES

REASON = "rejected_by_output"
"""Reason of a row that cannot be written."""

KEPT_BYTES = 8_000_000
"""Of a row that takes more than this as JSON only the key is kept: the failure has to fit a row itself."""

_KEYS = {table.name: table.key for table in (*TABLES, *LEDGER_TABLES)}


def refused_row(table: str, row: Mapping[str, Any], errors: Sequence[str]) -> Failure:
    """The failure of a row. It is the same failure, with the same id, if a repeated bundle makes the row again."""
    message_id = row.get("message_id")
    return Failure(
        reason=REASON,
        errors=tuple(errors),
        stage="write",
        message_id=message_id if isinstance(message_id, str) else None,
        raw=_kept(table, row),
        attributes={"table": table},
        source="",
        received_at=None,
    )


def _kept(table: str, row: Mapping[str, Any]) -> bytes:
    whole = row_json({name: value for name, value in row.items() if name != "recorded_at"})  # differs with each attempt
    return whole if len(whole) <= KEPT_BYTES else row_json({name: row.get(name) for name in _KEYS[table]})


def row_json(row: Mapping[str, Any]) -> bytes:
    """A row, whatever it holds, as JSON. Bytes that are no text are escaped."""
    return json.dumps(dict(row), default=_plain, sort_keys=True, separators=(",", ":")).encode()


def _plain(value: object) -> object:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else repr(value)
