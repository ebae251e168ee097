"""What a stream's tables say at one moment, for the view: read from the published database, which never locks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

_CHANGES = """
    SELECT epoch_us(c."at"), c.profile_id, c.segment, c.change, c.cause, c.change_id,
        (SELECT list(coalesce(e.event, e.type) ORDER BY e.timestamp) FROM events e
         WHERE list_contains(c.message_ids, e.message_id))
    FROM membership_changes c ORDER BY c.recorded_at DESC, c.change_id LIMIT ?
"""
_RECENT = """
    SELECT segment, count(*) FILTER (change = 'entered'), count(*) FILTER (change <> 'entered')
    FROM membership_changes WHERE epoch_us(recorded_at) > ? GROUP BY segment
"""
_MEMBERS = "SELECT segment, count(*) FROM memberships WHERE exited_at IS NULL GROUP BY segment"
_COUNTS = "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM failed_events), (SELECT count(*) FROM profiles)"


@dataclass(frozen=True, slots=True)
class Change:
    """A row of `membership_changes`, with the names of the events that caused it. `at_us`: event time, microseconds."""

    at_us: int
    profile_id: str
    segment: str
    change: str
    cause: str
    change_id: str
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The tables at `read_at_us` (microseconds). Per segment: members; entered and left within the last while."""

    read_at_us: int
    events: int
    failed: int
    profiles: int
    members: dict[str, int]
    entered: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()


def read_snapshot(path: Path, now_us: int, recent_us: int, changes: int) -> Snapshot:
    """Reads the tables.

    Args:
        path: a published database.
        now_us: the present.
        recent_us: how far back "entered" and "left" count.
        changes: how many of the last changes to give.
    """
    with duckdb.connect(str(path), read_only=True) as connection:
        ((events, failed, profiles),) = connection.execute(_COUNTS).fetchall()
        members = dict(connection.execute(_MEMBERS).fetchall())
        recent = connection.execute(_RECENT, [now_us - recent_us]).fetchall()
        last = connection.execute(_CHANGES, [changes]).fetchall()
    return Snapshot(
        now_us,
        events,
        failed,
        profiles,
        members,
        {segment: entered for segment, entered, _ in recent},
        {segment: left for segment, _, left in recent},
        tuple(_change(*row) for row in last),
    )


def _change(
    at_us: int, profile_id: str, segment: str, change: str, cause: str, change_id: str, events: list[str] | None
) -> Change:
    return Change(at_us, profile_id, segment, change, cause, change_id, tuple(events or ()))
