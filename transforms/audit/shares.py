"""Shares by day: `part` of `whole`. One of three is no spike: the binomial bound must leave the reference, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Final

from transforms.audit.finding import Finding, Severity
from transforms.audit.reference import WEEKS, Alarm, Verdict, alarms, reference

_BOUND: Final = 3.5
"""Standard deviations of the Wilson interval."""

_FEWEST_IN_REFERENCE: Final = 3
_CRITICAL: Final = 0.5
"""A share that moved by more than this is critical."""


@dataclass(frozen=True, slots=True)
class ShareRule:
    """What of a share is worth an alarm.

    Attributes:
        least: how far it must have moved, 0 to 1.
        direction: 1: up is worse; -1: down; 0: both.
        fewest: of how many it must be a share.
        floor: the least standard deviation of daily shares, beside the binomial one.
        usual: references above it (below, if down is worse) tell nothing.
    """

    least: float = 0.1
    direction: int = 1
    fewest: int = 20
    floor: float = 0.02
    usual: float = 0.9


def wilson(part: float, whole: float, deviations: float = _BOUND) -> tuple[float, float]:
    """The bounds of a share that was seen as `part` of `whole` (Wilson 1927).

    >>> wilson(0, 0)
    (0.0, 1.0)
    """
    if not whole:
        return 0.0, 1.0
    share, square = part / whole, deviations**2
    middle = (share + square / (2 * whole)) / (1 + square / whole)
    reach = deviations * sqrt(share * (1 - share) / whole + square / (4 * whole**2)) / (1 + square / whole)
    return max(0.0, middle - reach) if part else 0.0, min(1.0, middle + reach) if part < whole else 1.0


Counts = Mapping[int, tuple[float, float]]
"""(part, whole) by day."""


def share_alarms(counts: Counts, rule: ShareRule) -> Iterator[Alarm]:
    """The days on which the share was an alarm."""
    shares = {day: part / whole for day, (part, whole) in counts.items() if whole >= _FEWEST_IN_REFERENCE}

    def judge(day: int, alarmed: set[int], since: int) -> Verdict | None:
        part, whole = counts[day]
        known = reference(shares, day, alarmed, since)
        if known is None or not whole:
            return None
        share, expected = part / whole, min(max(known.expected, 0.0), 1.0)
        chance = sqrt(max(expected * (1 - expected), 0.25 / whole) / whole)
        score = (share - expected) / sqrt(known.sigma**2 + rule.floor**2 + chance**2)
        low, high = wilson(part, whole)
        # The median of small shares is often 0 where their sum is not.
        before = [counts[d] for d in shares if max(day - 7 * WEEKS, since) <= d < day and d not in alarmed]
        pooled = sum(one for one, _ in before) / sum(all_ for _, all_ in before)
        moved = share - expected
        up = moved >= rule.least and low > max(expected, pooled) and expected <= rule.usual
        down = -moved >= rule.least and high < min(expected, pooled) and 1 - expected <= rule.usual
        worse = (rule.direction >= 0 and up) or (rule.direction <= 0 and down)
        return Verdict(score, share, expected, worse and whole >= rule.fewest)

    return alarms(sorted(counts), judge)


def share_findings(check: str, series: Mapping[tuple[str, str], Counts], rule: ShareRule) -> Iterator[Finding]:
    """Findings of all series, by (source, subject)."""
    for (source, subject), counts in sorted(series.items()):
        for day, verdict, first in share_alarms(counts, rule):
            moved = abs(verdict.value - verdict.expected)
            severity: Severity = "critical" if moved >= _CRITICAL else "warning"
            yield Finding(check, source, subject, day, severity, verdict.value, verdict.expected, first)
