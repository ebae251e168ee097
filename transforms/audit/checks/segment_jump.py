"""A segment whose size jumped from one day to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log
from typing import Final

from transforms.audit.check import Check, Row, Window
from transforms.audit.finding import DAY_US, Finding
from transforms.audit.reference import Verdict, alarms, reference

_SMOOTH: Final = 20.0
_LEAST_RATIO: Final = 1.5
_LEAST: Final = 20.0
_FLOOR: Final = 0.05


def judge(rows: Sequence[Row], window: Window) -> Iterator[Finding]:
    """Rows (segment, day, entries less exits of that day)."""
    changes: dict[str, dict[int, float]] = {}
    for segment, day, change in rows:
        changes.setdefault(segment, {})[day] = float(change)
    for segment, of_day in sorted(changes.items()):
        yield from _segment(segment, of_day, window)


def _segment(segment: str, changes: dict[int, float], window: Window) -> Iterator[Finding]:
    members: dict[int, float] = {}
    size = 0.0
    for day in range(min(changes), window.last_day + 1):
        size += changes.get(day, 0.0)
        members[day] = size
    steps = {
        day: log((size + _SMOOTH) / (members[day - 1] + _SMOOTH)) for day, size in members.items() if day - 1 in members
    }

    def verdict(day: int, alarmed: set[int], since: int) -> Verdict | None:
        known = reference(steps, day, alarmed, since)
        if known is None:
            return None
        before, now = members[day - 1], members[day]
        grave = abs(now - before) >= _LEAST and abs(steps[day]) >= log(_LEAST_RATIO)
        return Verdict((steps[day] - known.expected) / max(known.sigma, _FLOOR), now, before, grave)

    for day, found, first in alarms(sorted(steps), verdict):
        if found.grave:
            yield Finding(CHECK.name, "", segment, day, "warning", found.value, found.expected, first)


CHECK = Check(
    "segment_jump",
    "the members of a segment at the end of a day, against the day before and how much it usually changes",
    f"""SELECT segment, CAST(day AS INTEGER), sum(change) FROM (
            SELECT segment, epoch_us(entered_at) // {DAY_US} AS day, 1 AS change FROM memberships
            UNION ALL
            SELECT segment, epoch_us(exited_at) // {DAY_US}, -1 FROM memberships WHERE exited_at IS NOT NULL
        ) GROUP BY ALL""",  # noqa: S608 - a number of our own
    judge,
)
