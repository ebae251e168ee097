"""A source that fell silent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from transforms.audit.check import Check, Row, Window, by_source
from transforms.audit.finding import Finding, Severity
from transforms.audit.silences import silences

_USUAL: Final = 5.0


def judge(rows: Sequence[Row], window: Window) -> Iterator[Finding]:
    """Rows (source, day, count). Of a source that comes now and then, twice its longest silence is one too many."""
    for source, counts in sorted(by_source(rows).items()):
        for day, first, usual, daily in silences(counts, window.last_day, _USUAL):
            severity: Severity = "critical" if daily else "warning"
            yield Finding(CHECK.name, source, source, day, severity, 0.0, usual, first)


CHECK = Check(
    "silent_source",
    "a source without any event on a day on which it always had some",
    "SELECT source, day, count(*) FROM all_events GROUP BY ALL",
    judge,
)
