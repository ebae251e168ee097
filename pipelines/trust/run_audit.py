"""The checks, asked of a job's tables where they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb

from transforms.audit.check import Check, Row, Window
from transforms.audit.checks import BOT, CHECKS
from transforms.audit.finding import DAY_US, Finding
from transforms.audit.prepare import field_statements, statements
from transforms.audit.reference import WEEKS
from transforms.audit.root_cause import causes

_STRAGGLERS = 5
"""Events at the very end that may be from a clock that is ahead: the day is where the events are."""

_WEEK_DAYS = 7
_COMPLETE_US = 300_000_000
"""A day that lacks five minutes is whole."""

Told = Callable[[str, int, int], None]


def last_complete_day(tables: duckdb.DuckDBPyConnection, as_of: int | None) -> int | None:
    """The last day (since the epoch, UTC) that is over: by `as_of`, or by the events. None: there are no events.

    Without `as_of` a day is over when its events reach as far into it as those of one of the seven days before did.
    """
    if as_of is not None:
        return (as_of + _COMPLETE_US) // DAY_US - 1
    rows = tables.execute(
        f"SELECT epoch_us(timestamp) FROM events ORDER BY timestamp DESC LIMIT {_STRAGGLERS + 1}"  # noqa: S608
    ).fetchall()
    if not rows:
        return None
    end: int = rows[-1][0]
    day = end // DAY_US
    earlier = tables.execute(
        f"""SELECT min(last) FROM (
                SELECT max(epoch_us(timestamp) % {DAY_US}) AS last FROM events
                WHERE epoch_us(timestamp) // {DAY_US} BETWEEN {day - _WEEK_DAYS} AND {day - 1}
                GROUP BY epoch_us(timestamp) // {DAY_US})"""  # noqa: S608 - numbers of our own
    ).fetchone()
    usual = earlier[0] if earlier and earlier[0] is not None else DAY_US
    return day if end % DAY_US >= min(usual, DAY_US - _COMPLETE_US) else day - 1


def run_audit(
    tables: duckdb.DuckDBPyConnection, window: Window, source_path: str | None, progress: Told
) -> list[Finding]:
    """The findings of the window's days, their causes first.

    Args:
        tables: those of the job.
        window: what is audited; the eight weeks before are its reference.
        source_path: where an event's source stands in its context; None: the usual places.
        progress: is told what is done, of how much.
    """
    for statement in statements(window.first_day - 7 * WEEKS, window.last_day, source_path):
        tables.execute(statement)
    steps = len(CHECKS) + 1
    found = _ask(tables, BOT, window)
    bots = [(one.source, one.day, one.subject.removeprefix(f"{one.source}: ")) for one in found]
    if bots:
        tables.executemany("INSERT INTO bots VALUES (?, ?, ?)", bots)
    for statement in field_statements():
        tables.execute(statement)
    for number, check in enumerate(CHECKS, 1):
        progress("auditing", number, steps)
        found += _ask(tables, check, window)
    progress("auditing", steps, steps)
    return causes(one for one in found if window.first_day <= one.day <= window.last_day)


def _ask(tables: duckdb.DuckDBPyConnection, check: Check, window: Window) -> list[Finding]:
    rows: list[Row] = [tuple(map(_plain, row)) for row in tables.execute(check.sql).fetchall()]
    return list(check.judge(rows, window))


def _plain(value: Any) -> Any:
    return 0 if value is None else value
