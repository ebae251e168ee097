"""The report's part on activation: who is wanted at each destination, who is there, and why others are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

_MOST_REASONS = 5


@dataclass(frozen=True, slots=True)
class Activated:
    """One segment at one destination, in members. `reasons`: of those refused and pending, the most frequent first."""

    destination: str
    segment: str
    wanted: int
    acknowledged: int
    pending: int
    refused: int
    suppressed: int
    reasons: tuple[tuple[str, int], ...]


def read_activations(tables: duckdb.DuckDBPyConnection) -> list[Activated]:
    """What the ledger says; nothing where there is none."""
    there = tables.execute("SELECT count(*) FROM information_schema.tables WHERE table_name = 'activations'").fetchall()
    if not there[0][0]:
        return []
    rows = tables.execute(
        "SELECT destination, segment, count(*) FILTER (wanted),"
        " count(*) FILTER (wanted AND state = 'acknowledged'), count(*) FILTER (state = 'pending'),"
        " count(*) FILTER (state = 'refused'), count(*) FILTER (state = 'suppressed')"
        " FROM activations GROUP BY ALL ORDER BY destination, segment"
    ).fetchall()
    reasons: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for destination, segment, reason, count in tables.execute(
        "SELECT destination, segment, state || ': ' || coalesce(reason, 'not yet sent'), count(*) FROM activations"
        " WHERE state IN ('refused', 'pending', 'suppressed') GROUP BY ALL ORDER BY 4 DESC, 3"
    ).fetchall():
        reasons.setdefault((destination, segment), []).append((reason, count))
    why = {place: tuple(found[:_MOST_REASONS]) for place, found in reasons.items()}
    return [_activated(row, why.get(row[:2], ())) for row in rows]


def _activated(row: Sequence[Any], reasons: tuple[tuple[str, int], ...]) -> Activated:
    destination, segment, wanted, acknowledged, pending, refused, suppressed = row
    return Activated(destination, segment, wanted, acknowledged, pending, refused, suppressed, reasons)
