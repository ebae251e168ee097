"""More of a source's track events than before are in no tracking plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transforms.audit.check import Check, Row, Window, by_subject
from transforms.audit.finding import Finding
from transforms.audit.shares import ShareRule, share_findings

RULE = ShareRule(least=0.1)


def judge(rows: Sequence[Row], window: Window) -> Iterator[Finding]:
    """Rows (source, name, day, count)."""
    counts: dict[tuple[str, int], list[float]] = {}
    for source, name, day, count in rows:
        of_day = counts.setdefault((source, day), [0.0, 0.0])
        of_day[0] += count if name not in window.planned else 0
        of_day[1] += count
    series = by_subject((source, source, day, part, whole) for (source, day), (part, whole) in counts.items())
    yield from share_findings(CHECK.name, series, RULE)


CHECK = Check(
    "unplanned_share",
    "the share of a source's track events that no schema names",
    "SELECT source, label, day, count(*) FROM kept WHERE type = 'track' GROUP BY ALL",
    judge,
)
