"""Counts by day, against the level of the days before and the weekday's usual share of it.

A shop that grows by two per cent a week is no alarm: the level is the median of the last seven good days, and the
reference is how a weekday compares with its level. Differences are ratios, on a logarithmic scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import median
from typing import Final

from transforms.audit.reference import Alarm, Verdict, alarms, reference

_LEVEL_DAYS: Final = 7
_SMOOTH: Final = 5.0
"""Added to every count, so that 2 against 1 is no doubling."""


_STEADY: Final = 10.0
"""Events of a usual day, from which on days are compared."""


@dataclass(frozen=True, slots=True)
class VolumeRule:
    """What of a count is worth an alarm.

    Attributes:
        most: a ratio above it; `least`: one below it.
        fewest: events that are expected, or that there are.
        floor: the least standard deviation of the logarithm of the ratio.
        burst: events that usually come together (of one visit): counts scatter as if there were so many fewer.
    """

    most: float = 1.7
    least: float = 0.55
    fewest: float = 30.0
    floor: float = 0.1
    burst: float = 3.0


class _Judge:
    """Verdicts on the days of one series, which are asked for in order. `offs`: how far each was, as a logarithm."""

    def __init__(self, counts: Mapping[int, float], rule: VolumeRule, common: Mapping[int, float]) -> None:
        self._counts, self._rule, self._common = counts, rule, common
        self._ratios: dict[int, float] = {}
        self.offs: dict[int, float] = {}

    def __call__(self, day: int, alarmed: set[int], since: int) -> Verdict | None:
        counts, rule = self._counts, self._rule
        good = [d for d in range(day - 1, min(counts) - 1, -1) if d not in alarmed and d >= since][:_LEVEL_DAYS]
        if len(good) < _LEVEL_DAYS:
            return None
        level = median(counts[d] for d in good) + _SMOOTH
        self._ratios[day] = ratio = log((counts[day] + _SMOOTH) / level)
        known = reference(self._ratios, day, alarmed, since)
        if known is None:
            return None
        expected = max(level * exp(known.expected) - _SMOOTH, 0.0)
        self.offs[day] = ratio - known.expected
        off = self.offs[day] - self._common.get(day, 0.0)
        sigma = max(known.sigma, rule.floor, sqrt(rule.burst / (expected + _SMOOTH)))
        grave = (off >= log(rule.most) or off <= log(rule.least)) and max(expected, counts[day]) >= rule.fewest
        # A day that lost half of its events is no further off than one that has half more.
        fair = max(off, exp(off) - 1) if off < 0 else off
        return Verdict(fair / sigma, counts[day], expected, grave)


def filled(counts: Mapping[int, float], last_day: int) -> dict[int, float]:
    """Every day from the first one to `last_day`; those without a row count 0."""
    return {day: float(counts.get(day, 0.0)) for day in range(min(counts), last_day + 1)} if counts else {}


def volume_alarms(
    counts: Mapping[int, float], last_day: int, rule: VolumeRule, common: Mapping[int, float] | None = None
) -> Iterator[Alarm]:
    """The days on which the count was an alarm. What comes only now and then has no daily level, and no alarms.

    Args:
        counts: by day.
        last_day: the last complete day.
        rule: what is an alarm.
        common: the logarithm by which everything else moved on a day, which is no fault of this one.
    """
    full = filled(counts, last_day)
    if not is_steady(full):
        return iter(())
    return alarms(list(full), _Judge(full, rule, common or {}))


def moves(counts: Mapping[int, float], last_day: int) -> dict[int, float]:
    """The logarithm of each day's count over what was expected of it, where something was."""
    full = filled(counts, last_day)
    if not is_steady(full):
        return {}
    judge = _Judge(full, VolumeRule(), {})
    for _ in alarms(list(full), judge):
        pass
    return judge.offs


def moved_together(series: Mapping[str, Mapping[int, float]], last_day: int) -> dict[int, float]:
    """The logarithm by which all sources moved on a day: a holiday is nobody's fault. Nothing, of fewer than two.

    Only what every source did counts.
    """
    found = [offs for counts in series.values() if (offs := moves(counts, last_day))]
    if len(found) < 2:
        return {}
    together = {}
    for day in set.intersection(*(set(offs) for offs in found)):
        of_day = [offs[day] for offs in found]
        if min(of_day) > 0 or max(of_day) < 0:
            # The middle one; of two the smaller one, for the other may be a fault.
            together[day] = sorted(of_day, key=abs)[(len(of_day) - 1) // 2]
    return together


def is_steady(counts: Mapping[int, float]) -> bool:
    """Whether something comes nearly every day: of what comes now and then, one day's count says nothing."""
    return bool(counts) and median(counts.values()) >= _STEADY
