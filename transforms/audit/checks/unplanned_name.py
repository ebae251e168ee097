"""A track event that the tracking plan does not name and nobody had sent before: often a new spelling of an old one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transforms.audit.check import Check, Row, Window
from transforms.audit.finding import Finding

FEWEST = 3
FEWEST_DAYS = 14


def judge(rows: Sequence[Row], window: Window) -> Iterator[Finding]:
    """Rows (source, name, first day, count on that day, count, first day of all)."""
    for source, name, day, of_day, count, earliest in sorted(rows):
        if name not in window.planned and count >= FEWEST and day - earliest >= FEWEST_DAYS:
            yield Finding(CHECK.name, source, f"{source}: {name}", day, "info", float(of_day), 0.0, day)


CHECK = Check(
    "unplanned_name",
    "a track event that no schema names, on the first day that it was sent",
    """WITH days AS (SELECT source, label, day, count(*) AS n FROM kept WHERE type = 'track' GROUP BY ALL)
       SELECT source, label, min(day), arg_min(n, day), sum(n), (SELECT min(day) FROM kept) FROM days GROUP BY ALL""",
    judge,
)
