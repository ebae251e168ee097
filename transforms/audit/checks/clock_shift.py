"""A source whose clock is off by a time zone: events hours from when they were received, or usually are.

Two ways to see it: the median of `received_at - timestamp` moves by quarters of an hour; or the day's events, by hour,
look like those of other days moved round the clock (Jensen-Shannon distance, base 2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import log2, sqrt
from typing import Final

from transforms.audit.check import Check, Row, Window
from transforms.audit.finding import Finding
from transforms.audit.reference import Verdict, alarms, reference

_QUARTER: Final = 15.0
_LEAST_MINUTES: Final = 30.0
_NEAR_MINUTES: Final = 4.0
_FEWEST: Final = 20
_FEWEST_BY_HOUR: Final = 100
_LEAST_DISTANCE: Final = 0.2
_STILL: Final = 0.75
"""How much of the distance may be left when the day is turned back."""

Hours = list[float]


def judge(rows: Sequence[Row], _: Window) -> Iterator[Finding]:
    """Rows (source, day, hour, count, median lag in minutes); hour -1: all of the day, with its lag."""
    lags: dict[str, dict[int, float]] = {}
    hours: dict[str, dict[int, Hours]] = {}
    for source, day, hour, count, lag in rows:
        if hour >= 0:
            hours.setdefault(source, {}).setdefault(day, [0.0] * 24)[hour] = float(count)
        elif count >= _FEWEST and lag is not None:
            lags.setdefault(source, {})[day] = float(lag)
    told: set[tuple[str, int]] = set()
    for source, of_source in sorted(lags.items()):
        for finding in _by_lag(source, of_source):
            told.add((source, finding.day))
            yield finding
    for source, by_day in sorted(hours.items()):
        yield from (finding for finding in _by_hour(source, by_day) if (source, finding.day) not in told)


def _by_lag(source: str, lags: Mapping[int, float]) -> Iterator[Finding]:
    def verdict(day: int, alarmed: set[int], since: int) -> Verdict | None:
        known = reference(lags, day, alarmed, since)
        if known is None:
            return None
        moved = lags[day] - known.expected
        whole = abs(moved - _QUARTER * round(moved / _QUARTER)) <= _NEAR_MINUTES
        grave = abs(moved) >= _LEAST_MINUTES and whole
        return Verdict(moved / max(known.sigma, 5.0), lags[day] / 60, known.expected / 60, grave)

    for day, found, first in alarms(sorted(lags), verdict):
        yield Finding(CHECK.name, source, source, day, "critical", found.value, found.expected, first)


def _by_hour(source: str, days: Mapping[int, Hours]) -> Iterator[Finding]:
    full = {day: hours for day, hours in days.items() if sum(hours) >= _FEWEST_BY_HOUR}
    distances: dict[int, float] = {}
    shifts: dict[int, int] = {}

    def verdict(day: int, alarmed: set[int], since: int) -> Verdict | None:
        before = [full[d] for d in full if since <= d < day and d not in alarmed]
        if len(before) < 7:
            return None
        usual = [sum(of_day[hour] / sum(of_day) for of_day in before) for hour in range(24)]
        distances[day] = distance(full[day], usual)
        known = reference(distances, day, alarmed, since)
        if known is None:
            return None
        turned = {shift: distance(_turned(full[day], -shift), usual) for shift in range(-11, 13) if shift}
        shift = min(turned, key=lambda one: (turned[one], abs(one), one))
        shifts[day] = shift
        score = (distances[day] - known.expected) / max(known.sigma, 0.03)
        grave = distances[day] >= _LEAST_DISTANCE and turned[shift] <= _STILL * distances[day]
        return Verdict(score, distances[day], known.expected, grave)

    for day, _, first in alarms(sorted(full), verdict):
        yield Finding(CHECK.name, source, source, day, "critical", float(shifts[day]), 0.0, first)


def _turned(hours: Hours, by: int) -> Hours:
    return [hours[(hour - by) % 24] for hour in range(24)]


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """The Jensen-Shannon distance of two distributions, base 2: 0 of equal ones, 1 of those that share nothing."""
    left, right = [value / sum(one) for value in one], [value / sum(other) for value in other]
    total = 0.0
    for p, q in zip(left, right, strict=True):
        middle = (p + q) / 2
        total += sum(value * log2(value / middle) for value in (p, q) if value > 0) / 2
    return sqrt(max(total, 0.0))


CHECK = Check(
    "clock_shift",
    "hours by which a source's clock has moved, against when its events are received or usually happen",
    """SELECT source, day, hour, count(*), NULL FROM kept GROUP BY ALL
       UNION ALL
       SELECT source, day, -1, count(received_at), median(epoch_us(received_at) - epoch_us(timestamp)) / 60e6
       FROM kept GROUP BY ALL""",
    judge,
)
