"""One event of a source that comes far more or far less often, while the source does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transforms.audit.check import Check, Row, Window, by_source
from transforms.audit.finding import Finding
from transforms.audit.silences import silences
from transforms.audit.volumes import VolumeRule, moves, volume_alarms

USUAL = 8.0
RULE = VolumeRule(most=2.5, least=0.4, fewest=30.0, floor=0.15)


def judge(rows: Sequence[Row], window: Window) -> Iterator[Finding]:
    """Rows (source, label, day, count). What the whole source did on a day is not the event's fault."""
    totals: dict[tuple[str, int], float] = {}
    for source, _, day, count in rows:
        totals[source, day] = totals.get((source, day), 0.0) + count
    common = {
        source: moves(counts, window.last_day)
        for source, counts in by_source((source, day, count) for (source, day), count in totals.items()).items()
    }
    names = {f"{source}: {label}": source for source, label, _, _ in rows}
    series = by_source((f"{source}: {label}", day, count) for source, label, day, count in rows)
    for subject, counts in sorted(series.items()):
        source = names[subject]
        silent = {gone.day: gone for gone in silences(counts, window.last_day, USUAL) if gone.daily}
        for day, first, usual, _ in silent.values():
            yield Finding(CHECK.name, source, subject, day, "critical", 0.0, usual, first)
        for day, verdict, first in volume_alarms(counts, window.last_day, RULE, common[source]):
            if day not in silent:
                yield Finding(CHECK.name, source, subject, day, "warning", verdict.value, verdict.expected, first)


CHECK = Check(
    "event_volume",
    "one event of a source, against its level and what the whole source did that day",
    "SELECT source, label, day, count(*) FROM kept GROUP BY ALL",
    judge,
)
