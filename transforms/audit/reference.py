"""What a day is compared with: the same weekday of the weeks before, as far as those were not alarms themselves.

Of the reference's days the weekday's median is expected, and the spread is that of all its days around their own
weekday's median (MAD): seven times as many numbers as one weekday has. A day that was alarmed leaves the reference, or
the second day of a fault would be normal. After LONGEST_ALARM days in a row the new
level is how things are: the reference begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from statistics import median
from typing import Final, NamedTuple

WEEKS: Final = 8
FEWEST_DAYS: Final = 14
FEWEST_WEEKDAYS: Final = 2
LONGEST_ALARM: Final = 14
MAD_TO_SIGMA: Final = 1.4826

OPENS_AT: Final = 4.0
CLOSES_AT: Final = 2.0


class Reference(NamedTuple):
    """What is expected of a day, and how far days usually are from it (a standard deviation, by the MAD)."""

    expected: float
    sigma: float
    days: int


class Verdict(NamedTuple):
    """How far a day is from its reference: `score` in standard deviations; and whether it may open an alarm."""

    score: float
    value: float
    expected: float
    grave: bool


class Alarm(NamedTuple):
    """One day of an alarm, which began on `first_day`."""

    day: int
    verdict: Verdict
    first_day: int


def reference(values: Mapping[int, float], day: int, alarmed: set[int], since: int) -> Reference | None:
    """The reference of a day; None where too few days came before it."""
    known = {
        d: value for d, value in values.items() if max(day - 7 * WEEKS, since) <= d < day and d not in alarmed
    }  # fmt: skip
    if len(known) < FEWEST_DAYS or day - min(known) < FEWEST_DAYS:
        return None
    weekdays: dict[int, list[float]] = {}
    for d, value in known.items():
        weekdays.setdefault(d % 7, []).append(value)
    medians = {weekday: median(of_day) for weekday, of_day in weekdays.items()}
    overall = median(known.values())
    same = weekdays.get(day % 7, [])
    expected = medians[day % 7] if len(same) >= FEWEST_WEEKDAYS else overall
    off = [abs(value - medians[d % 7]) for d, value in known.items() if len(weekdays[d % 7]) >= FEWEST_WEEKDAYS]
    # Two or three of a kind are nearer to their median than many would be.
    few = 1 + 2 / max(len(same), 1)
    return Reference(expected, MAD_TO_SIGMA * (median(off) if off else 0.0) * few**0.5, len(known))


def alarms(days: list[int], judge: Callable[[int, set[int], int], Verdict | None]) -> Iterator[Alarm]:
    """The days that are alarms, in order.

    Args:
        days: to be looked at, in order.
        judge: the verdict on a day, given the days that were alarms before it and the first day that still counts.
    """
    alarmed: set[int] = set()
    since, first, sign = -(1 << 30), None, 0.0
    for day in days:
        verdict = judge(day, alarmed, since)
        opened = verdict is not None and verdict.grave and abs(verdict.score) >= OPENS_AT
        stays = verdict is not None and first is not None and verdict.score * sign >= CLOSES_AT
        if verdict is None or not (opened or stays):
            first = None
            continue
        if first is None or verdict.score * sign < 0:
            first, sign = day, (1.0 if verdict.score > 0 else -1.0)
        alarmed.add(day)
        yield Alarm(day, verdict, first)
        if day - first + 1 >= LONGEST_ALARM:
            since, first = day + 1, None
            alarmed.clear()
