"""Orders, refunds and cancellations of a job's events, asked for in SQL."""

from __future__ import annotations

from typing import Any, Final

import duckdb

from transforms.predictions.orders import Kind, OrderEvent

KINDS: Final[dict[str, Kind]] = {"Order Refunded": "refund", "Order Cancelled": "cancellation"}

# What an order is worth: without shipping and tax where the event says so.
_AMOUNT: Final = "coalesce(" + ", ".join(
    f"try_cast(properties->>'$.{name}' AS DOUBLE)" for name in ("revenue", "total", "value")
) + ")"  # fmt: skip

_QUERY: Final = f"""
    SELECT profile_id, epoch_us(timestamp), message_id, event, properties->>'$.order_id', {_AMOUNT},
           upper(trim(coalesce(properties->>'$.currency', '')))
    FROM events
    WHERE type = 'track' AND event IN (?, 'Order Refunded', 'Order Cancelled') AND epoch_us(timestamp) <= ?
    ORDER BY timestamp, message_id
"""  # noqa: S608 - the names of our own properties


def read_order_events(tables: duckdb.DuckDBPyConnection, order_event: str, until: int) -> list[OrderEvent]:
    """Those at or before `until` (microseconds). Later ones are not even read."""
    rows: list[tuple[Any, ...]] = tables.execute(_QUERY, [order_event, until]).fetchall()
    return [
        OrderEvent(profile_id, at, message_id, KINDS.get(event, "order"), order_id, amount, currency)
        for profile_id, at, message_id, event, order_id, amount, currency in rows
    ]


def tables_as_of(tables: duckdb.DuckDBPyConnection) -> int | None:
    """The instant that a job's tables tell of: in a bounded job `recorded_at` is `as_of`. None: they are empty."""
    row = tables.execute("SELECT epoch_us(max(recorded_at)) FROM profiles").fetchone()
    found: int | None = row[0] if row else None
    return found
