"""Receipts of erasure: what a deletion erased, without a word about whom. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import orjson

from schemas.tables import EVENTS, IDENTITY_LINKS
from transforms.profiles.rows import Row

COUNTED = (EVENTS.name, IDENTITY_LINKS.name)
"""The tables whose erased rows are counted."""


def receipt_row(message_id: str, requested_at: int, user_id: str, erased: Mapping[str, int], completed_at: int) -> Row:
    """The row of `deletions` for a delete event; `erased` are rows by table."""
    return (
        hashlib.sha256(f"receipt\0{message_id}".encode()).hexdigest()[:32],
        hashlib.sha256(user_id.encode()).hexdigest(),
        requested_at,
        completed_at,
        orjson.dumps({table: erased.get(table, 0) for table in COUNTED}),
    )
