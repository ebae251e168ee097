"""A source that sends far more or far less than its weekday usually does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transforms.audit.check import Check, Row, Window, by_source
from transforms.audit.finding import Finding, Severity
from transforms.audit.volumes import VolumeRule, moved_together, volume_alarms

RULE = VolumeRule()


def judge(rows: Sequence[Row], window: Window) -> Iterator[Finding]:
    """Rows (source, day, count)."""
    series = by_source(rows)
    common = moved_together(series, window.last_day)
    for source, counts in sorted(series.items()):
        for day, verdict, first in volume_alarms(counts, window.last_day, RULE, common):
            severity: Severity = "critical" if verdict.value < verdict.expected / 4 else "warning"
            yield Finding(CHECK.name, source, source, day, severity, verdict.value, verdict.expected, first)


CHECK = Check(
    "volume",
    "events of a source, against the level of the week before and the weekday's share of it",
    "SELECT source, day, count(*) FROM kept GROUP BY ALL",
    judge,
)
