"""What the report shows, asked of the tables in SQL. Instants in microseconds, days as numbers since the epoch, UTC."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from pipelines.reporting.structure import structure_of, without_names
from transforms.explain.statistics import DAY_US, Day, Overlap, days, overlap
from transforms.explain.timeline import Timeline
from transforms.profiles.rows import TYPED_COLUMNS

FUNNEL = ("Product Viewed", "Product Added", "Checkout Started", "Order Completed")
EXAMPLES_PER_REASON = 2
_ERRORS_SHOWN = 4
_WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Headline:
    """How much there is. `as_of`: when the tables were written for."""

    as_of: int
    profiles: int
    users: int
    merged: int
    events: int
    failed: int
    first_event: int | None
    last_event: int | None
    accounts: int = 0


@dataclass(frozen=True, slots=True)
class SegmentLife:
    """One segment: its days, entries ever, members now, and how long stays that ended lasted (median, microseconds).

    `lately`: entries and exits of the last seven days before `as_of`. `timeline`: what `days` are of.
    """

    name: str
    days: tuple[Day, ...]
    entries: int
    members: int
    median_stay: float | None
    lately: tuple[int, int]
    timeline: Timeline


@dataclass(frozen=True, slots=True)
class FailedExample:
    """A failed event without its values: what is wrong, and its structure."""

    errors: tuple[str, ...]
    stage: str
    structure: str


@dataclass(frozen=True, slots=True)
class FailedReason:
    """All failed events of one reason."""

    reason: str
    count: int
    examples: tuple[FailedExample, ...]


def read_headline(tables: duckdb.DuckDBPyConnection) -> Headline:
    """How much there is."""
    profiles = _rows(
        tables,
        """SELECT epoch_us(max(recorded_at)), count(*) FILTER (merged_into IS NULL),
                  count(*) FILTER (merged_into IS NULL AND user_id IS NOT NULL),
                  count(*) FILTER (merged_into IS NOT NULL) FROM profiles""",
    )[0]
    events = _rows(tables, "SELECT count(*), epoch_us(min(timestamp)), epoch_us(max(timestamp)) FROM events")[0]
    failed = _rows(tables, "SELECT count(*) FROM failed_events")[0][0]
    accounts = _rows(tables, "SELECT count(*) FROM accounts")[0][0]
    as_of = profiles[0] if profiles[0] is not None else events[2] or 0
    return Headline(as_of, profiles[1], profiles[2], profiles[3], events[0], failed, events[1], events[2], accounts)


def read_segments(tables: duckdb.DuckDBPyConnection, names: Sequence[str], as_of: int) -> list[SegmentLife]:
    """Every segment that has rows, and those of `names`; the largest first."""
    entries: dict[str, Counter[int]] = {name: Counter() for name in names}
    exits: dict[str, Counter[int]] = {}
    changes = _rows(
        tables,
        f"""SELECT segment, 'entered', {day_of("entered_at")}, count(*) FROM memberships GROUP BY ALL
            UNION ALL
            SELECT segment, 'exited', {day_of("exited_at")}, count(*)
            FROM memberships WHERE exited_at IS NOT NULL GROUP BY ALL""",  # noqa: S608 - columns of our own
    )
    for segment, change, day, count in changes:
        (entries if change == "entered" else exits).setdefault(segment, Counter())[day] += count
    medians = dict(
        _rows(
            tables,
            """SELECT segment, median(epoch_us(exited_at) - epoch_us(entered_at))
               FROM memberships WHERE exited_at IS NOT NULL GROUP BY segment""",
        )
    )
    found = []
    for name, of_day in entries.items():
        left = exits.get(name, Counter())
        total = of_day.total()
        life, line = days(of_day, left, as_of)
        lately = (_lately(of_day, as_of), _lately(left, as_of))
        found.append(SegmentLife(name, tuple(life), total, total - left.total(), medians.get(name), lately, line))
    return sorted(found, key=lambda life: (-life.members, life.name))


def day_of(column: str) -> str:
    """SQL for the day of an instant, as a number since the epoch: whole division would round days before it up."""
    return f"{column}::DATE - DATE '1970-01-01'"


def _lately(counts: Counter[int], as_of: int) -> int:
    today = as_of // DAY_US
    return sum(number for day, number in counts.items() if today - _WEEK_DAYS < day <= today)


def read_overlaps(tables: duckdb.DuckDBPyConnection, segments: Sequence[SegmentLife]) -> dict[tuple[str, str], Overlap]:
    """The overlap of every two segments, by their names."""
    both = {
        (one, other): count
        for one, other, count in _rows(
            tables,
            """SELECT one.segment, other.segment, count(*)
               FROM memberships one JOIN memberships other USING (profile_id)
               WHERE one.exited_at IS NULL AND other.exited_at IS NULL AND one.segment <> other.segment GROUP BY ALL""",
        )
    }
    return {
        (one.name, other.name): overlap(other.name, one.members, other.members, both.get((one.name, other.name), 0))
        for one in segments
        for other in segments
        if one.name != other.name
    }


def read_funnel(tables: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    """How many profiles took each step of FUNNEL after the steps before it."""
    tables.execute(
        """CREATE OR REPLACE TEMP TABLE reached AS
           SELECT profile_id, min(timestamp) AS at FROM events
           WHERE type = 'track' AND event = ? GROUP BY profile_id""",
        [FUNNEL[0]],
    )
    counts = [_rows(tables, "SELECT count(*) FROM reached")[0][0]]
    for step in FUNNEL[1:]:
        tables.execute(
            """CREATE OR REPLACE TEMP TABLE reached AS
               SELECT reached.profile_id, min(timestamp) AS at FROM reached JOIN events USING (profile_id)
               WHERE type = 'track' AND event = ? AND timestamp >= reached.at GROUP BY reached.profile_id""",
            [step],
        )
        counts.append(_rows(tables, "SELECT count(*) FROM reached")[0][0])
    return list(zip(FUNNEL, counts, strict=True))


def read_event_days(tables: duckdb.DuckDBPyConnection) -> dict[str, Counter[int]]:
    """Events per day, by type; the most frequent type first."""
    found: dict[str, Counter[int]] = {}
    query = f"SELECT type, {day_of('timestamp')}, count(*) FROM events GROUP BY ALL"  # noqa: S608
    for kind, day, count in _rows(tables, query):
        found.setdefault(kind, Counter())[day] = count
    return dict(sorted(found.items(), key=lambda pair: (-pair[1].total(), pair[0])))


def read_event_names(tables: duckdb.DuckDBPyConnection) -> Counter[tuple[str, str]]:
    """Events by (type, name)."""
    rows = _rows(tables, "SELECT type, coalesce(event, ''), count(*) FROM events GROUP BY ALL")
    return Counter({(kind, name): count for kind, name, count in rows})


def read_failures(tables: duckdb.DuckDBPyConnection) -> list[FailedReason]:
    """Failed events by reason, the most frequent first, each with some that are wrong in different ways."""
    counts = _rows(tables, "SELECT reason, count(*) FROM failed_events GROUP BY reason ORDER BY 2 DESC, 1")
    return [FailedReason(reason, count, tuple(_examples(tables, reason))) for reason, count in counts]


def _examples(tables: duckdb.DuckDBPyConnection, reason: str) -> list[FailedExample]:
    rows = _rows(
        tables,
        """SELECT errors, stage, raw FROM failed_events WHERE reason = ?
           QUALIFY row_number() OVER (PARTITION BY regexp_replace(errors::varchar, '[0-9]+', '0', 'g')
                                      ORDER BY failure_id) = 1
           ORDER BY failure_id LIMIT ?""",
        [reason, EXAMPLES_PER_REASON],
    )
    return [
        FailedExample(tuple(map(without_names, errors[:_ERRORS_SHOWN])), stage, structure_of(raw))
        for errors, stage, raw in rows
    ]


def read_filled(tables: duckdb.DuckDBPyConnection) -> list[tuple[str, float]]:
    """Share of the known users that have a value in each typed column (0 to 1)."""
    columns = ", ".join(f'count("{name}") / greatest(count(*), 1)' for name in TYPED_COLUMNS)
    query = f"SELECT {columns} FROM profiles WHERE merged_into IS NULL AND user_id IS NOT NULL"  # noqa: S608
    return list(zip(TYPED_COLUMNS, _rows(tables, query)[0], strict=True))


def read_quality(tables: duckdb.DuckDBPyConnection) -> list[tuple[str, int, int]]:
    """What may be worth a look: (what, how many, of how many)."""
    events = _rows(
        tables,
        """SELECT count(*), count(*) FILTER (received_at IS NULL),
                  count(*) FILTER (received_at - timestamp > INTERVAL 1 DAY), count(*) FILTER (user_id IS NULL),
                  count(*) FILTER (profile_id LIKE 'anon:%') FROM events""",
    )[0]
    devices = _rows(
        tables,
        """SELECT count(*), count(*) FILTER (users > 1)
           FROM (SELECT count(DISTINCT user_id) AS users FROM identity_links GROUP BY anonymous_id)""",
    )[0]
    return [
        ("events without the time at which they were received", events[1], events[0]),
        ("events received more than a day after they happened", events[2], events[0]),
        ("events sent without a user id", events[3], events[0]),
        ("events that belong to nobody known", events[4], events[0]),
        ("devices that more than one user signed in on", devices[1], devices[0]),
    ]


def _rows(tables: duckdb.DuckDBPyConnection, query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = tables.execute(query, parameters or []).fetchall()
    return rows
