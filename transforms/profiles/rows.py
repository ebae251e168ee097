"""Rows of `profiles`, `memberships` and `membership_changes`, in the column order of schemas/tables.py."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from schemas.block import TableBlock
from schemas.tables import MEMBERSHIPS, Table
from schemas.tables import TYPED_COLUMNS as TYPED
from transforms.records import Record
from transforms.segments.replay import MembershipInterval

Row = tuple[Any, ...]

TYPED_COLUMNS = tuple(column.name for column in TYPED)
"""The columns that well-known traits are normalised into."""
_NO_TYPED: tuple[Any, ...] = tuple([] if column.repeated else None for column in TYPED)


def block(table: Table, rows: Sequence[Row], order: int = 0) -> TableBlock:
    """Rows as a block of columns."""
    return TableBlock(table.name, order, tuple(zip(*rows, strict=True)))


def json_object(value: dict[str, Any]) -> bytes:
    """Compact JSON whose text does not depend on the order in which fields were written."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


def event_row(event: Record, profile_id: str) -> Row:
    """The row of `events` for an event that belongs to a profile."""
    message_id, timestamp, kind, name, user, device, previous, group, received, properties, traits, context = event
    said = (properties, traits, context, previous, group)
    return (message_id, profile_id, user, device, kind, name or None, timestamp, received, *said)


def user_id_of(profile_id: str) -> str | None:
    return profile_id.removeprefix("user:") if profile_id.startswith("user:") else None


def merged_profile(profile_id: str, merged_into: str, recorded_at: int) -> Row:
    """The row that a merged or absorbed profile keeps."""
    return (
        profile_id,
        user_id_of(profile_id),
        [],
        *_NO_TYPED,
        b"{}",
        b"{}",
        [],
        None,
        None,
        0,
        merged_into,
        1,
        recorded_at,
    )


def membership_row(profile_id: str, interval: MembershipInterval, version: str, recorded_at: int) -> Row:
    return (
        profile_id,
        interval.segment,
        interval.entered_at,
        interval.exited_at,
        interval.expires_at,
        version,
        list(interval.message_ids),
        list(interval.exit_message_ids),
        recorded_at,
    )


def withdrawn_membership_row(profile_id: str, key: tuple[str, int]) -> Row:
    """The row of (segment, entered_at) that is taken away: its key alone."""
    return (profile_id, *key, *(None,) * (len(MEMBERSHIPS.columns) - 3))


def change_rows(profile_id: str, interval: MembershipInterval, version: str, recorded_at: int) -> list[Row]:
    """What a stay adds to the log: an entry and, if it has ended, an exit."""
    said = [("entered", interval.entered_at, interval.enter_cause, interval.message_ids)]
    if interval.exited_at is not None:
        said.append(("exited", interval.exited_at, interval.exit_cause or "", interval.exit_message_ids))
    return [
        (
            change_id(profile_id, interval.segment, version, change, at),
            profile_id,
            interval.segment,
            version,
            change,
            at,
            cause,
            list(message_ids),
            recorded_at,
        )
        for change, at, cause, message_ids in said
    ]


def change_id(profile_id: str, segment: str, version: str, change: str, at: int) -> str:
    """The same for the same change, whoever says it and however often."""
    text = "\0".join((profile_id, segment, version, change, str(at)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
