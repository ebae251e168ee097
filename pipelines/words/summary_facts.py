"""What a job has done: its counters, and what its tables say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import duckdb

from pipelines.words.event import tell_event
from transforms import counting


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How many events came to what: read = accepted + duplicate + erased + retracted + all that failed, by reason."""

    read: int
    accepted: int
    duplicate: int
    erased: int
    failed: dict[str, int]
    retracted: int = 0


class Cause(NamedTuple):
    """An event that made someone a member, in words."""

    words: str
    at: datetime


class Member(NamedTuple):
    """One member of a segment. `causes` are some of the events that made it true, `others` says how many more did."""

    profile_id: str
    since: datetime
    causes: list[Cause]
    others: int


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What the tables say. `members` and `samples` are by segment."""

    as_of: datetime | None
    users: int
    anonymous: int
    merged: int
    members: dict[str, int]
    samples: dict[str, Member]
    accounts: int = 0


def named_counters(counters: Mapping[str, int], prefix: str) -> dict[str, int]:
    """Those of a family, by what follows the prefix; the largest first."""
    found = {name.removeprefix(prefix): number for name, number in counters.items() if name.startswith(prefix)}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def count_outcomes(counters: Mapping[str, int], failed_rows: Mapping[str, int] | None) -> Outcomes:
    """Outcomes by the counters. An identical bad record that was read again is a duplicate of the row that it has.

    A stream that was started again may have more rows than it has counted: of records that it cannot read again.
    """
    failed = named_counters(counters, counting.FAILED)
    repeated = 0
    if failed_rows is not None and sum(failed_rows.values()) <= sum(failed.values()):
        repeated = sum(failed.values()) - sum(failed_rows.values())
        failed = dict(failed_rows)
    numbers = [
        counters.get(name, 0) for name in (counting.READ, counting.ACCEPTED, counting.DUPLICATE, counting.ERASED)
    ]
    return Outcomes(
        numbers[0], numbers[1], numbers[2] + repeated, numbers[3], failed, counters.get(counting.RETRACTED, 0)
    )


def failures_by_reason(tables: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Rows of `failed_events` by reason; the most first."""
    rows = tables.execute("SELECT reason, count(*) FROM failed_events GROUP BY reason ORDER BY 2 DESC, 1")
    return dict(rows.fetchall())


def read_facts(tables: duckdb.DuckDBPyConnection, *, samples: int, causes: int) -> TableFacts:
    """Counts, and one member each of the `samples` largest segments with up to `causes` events that say why."""
    as_of, users, anonymous, merged = tables.execute(
        "SELECT max(recorded_at), count(*) FILTER (merged_into IS NULL AND user_id IS NOT NULL),"
        " count(*) FILTER (merged_into IS NULL AND user_id IS NULL), count(merged_into) FROM profiles"
    ).fetchall()[0]
    counts = tables.execute(
        "SELECT segment, count(*) FROM memberships WHERE exited_at IS NULL GROUP BY segment ORDER BY 2 DESC, 1"
    )
    members = dict(counts.fetchall())
    sample = _sample(tables, list(members)[:samples], causes)
    ((accounts,),) = tables.execute("SELECT count(*) FROM accounts").fetchall()
    return TableFacts(as_of, users, anonymous, merged, members, sample, accounts)


class Ahead(NamedTuple):
    """Events after the present: how many, and the latest of the others (None: there is none)."""

    events: int
    latest_before: datetime | None


def read_ahead(tables: duckdb.DuckDBPyConnection, now: datetime) -> Ahead:
    """What lies ahead of `now`."""
    query = "SELECT count(*) FILTER (timestamp > $now), max(timestamp) FILTER (timestamp <= $now) FROM events"
    return Ahead(*tables.execute(query, {"now": now}).fetchall()[0])


def count_unknown(tables: duckdb.DuckDBPyConnection, user_ids: Iterable[str]) -> int:
    """How many of the ids no event has."""
    query = """SELECT count(*) FROM (SELECT 'user:' || unnest(?::VARCHAR[]) AS profile_id)
               ANTI JOIN profiles USING (profile_id)"""
    return int(tables.execute(query, [list(user_ids)]).fetchall()[0][0])


def _sample(tables: duckdb.DuckDBPyConnection, segments: list[str], causes: int) -> dict[str, Member]:
    """The member that entered last, of each segment."""
    rows = tables.execute(
        "SELECT segment, profile_id, entered_at, message_ids FROM memberships"
        " WHERE exited_at IS NULL AND list_contains(?, segment)"
        " QUALIFY row_number() OVER (PARTITION BY segment ORDER BY entered_at DESC, profile_id) = 1",
        [segments],
    ).fetchall()
    known = _causes(tables, {message_id for row in rows for message_id in row[3]})
    found = {}
    for segment, profile_id, since, message_ids in rows:
        told = _different([known[message_id] for message_id in message_ids if message_id in known])[:causes]
        found[segment] = Member(profile_id, since, told, len(message_ids) - len(told))
    return found


def _different(causes: list[Cause]) -> list[Cause]:
    """Those first that say something new."""
    said = {cause.words: cause for cause in reversed(causes)}
    first = [cause for cause in causes if said[cause.words] is cause]
    return first + [cause for cause in causes if said[cause.words] is not cause]


def _causes(tables: duckdb.DuckDBPyConnection, message_ids: Iterable[str]) -> dict[str, Cause]:
    rows = tables.execute(
        "SELECT message_id, type, event, properties, traits, timestamp FROM events"
        " WHERE message_id IN (SELECT unnest(?::VARCHAR[]))",
        [sorted(message_ids)],
    ).fetchall()
    return {
        message_id: Cause(tell_event(kind, name, properties, traits), at)
        for message_id, kind, name, properties, traits, at in rows
    }
