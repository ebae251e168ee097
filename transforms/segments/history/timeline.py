"""Sets of instants of many owners at once: sorted, disjoint half-open intervals on one line of int64.

Every owner (a profile, or an event that a `where` asks about) has a stretch of the line to itself, so that windows,
counts and junctions of all owners are one numpy call each. Between two stretches at least one point belongs to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from transforms.segments.history.histories import Flags, Integers

LINE_END = 1 << 62
"""No position reaches it, so that a duration added to one stays within 64 bits."""

NOTHING = np.zeros(0, np.int64)


class Truth:
    """Where something holds: in [start, end) of each interval; no two of them touch."""

    __slots__ = ("end", "start")

    def __init__(self, start: Integers, end: Integers) -> None:
        self.start = start
        self.end = end

    def __len__(self) -> int:
        return len(self.start)

    def at(self, points: Integers) -> Flags:
        """Whether it holds at each of the points."""
        if not len(self.start):
            return np.zeros(len(points), bool)
        place = self.start.searchsorted(points, "right") - 1
        return (place >= 0) & (points < self.end[np.maximum(place, 0)])


FALSE = Truth(NOTHING, NOTHING)


def merged(start: Integers, end: Integers) -> Truth:
    """Intervals in order of start (empty ones allowed) as a Truth."""
    keep = start < end
    if not keep.all():
        start, end = start[keep], end[keep]
    if not len(start):
        return FALSE
    until = np.maximum.accumulate(end)
    begins = np.flatnonzero(start[1:] > until[:-1])
    return Truth(start[np.concatenate(([0], begins + 1))], until[np.concatenate((begins, [len(start) - 1]))])


def merged_unordered(start: Integers, end: Integers) -> Truth:
    """The same of intervals in any order."""
    order = np.argsort(start, kind="stable")
    return merged(start[order], end[order])


def covered(start: Integers, end: Integers, least: int) -> Truth:
    """Where at least so many of the intervals (in any order, none empty) hold."""
    if least == 1:
        return merged_unordered(start, end)
    points, (count,) = totals(np.concatenate((start, end)), [np.repeat(np.array([1, -1]), len(start))])
    return from_flags(points, count >= least)


def totals(points: Integers, changes: Sequence[Integers]) -> tuple[Integers, list[Integers]]:
    """Changes at points, in any order -> the distinct points, and the running totals after each."""
    order = np.argsort(points, kind="stable")
    ordered = points[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(ordered) else NOTHING
    return ordered[last], [np.cumsum(change[order])[last] for change in changes]


def from_flags(points: Integers, holds: Flags) -> Truth:
    """Flag i stands from point i to point i + 1; the last flag must be false."""
    if not len(points):
        return FALSE
    before = np.concatenate(([False], holds[:-1]))
    return Truth(points[holds & ~before], points[~holds & before])


def union(truths: Sequence[Truth]) -> Truth:
    """Where any holds."""
    truths = [truth for truth in truths if len(truth)]
    if len(truths) < 2:
        return truths[0] if truths else FALSE
    return merged_unordered(
        np.concatenate([truth.start for truth in truths]), np.concatenate([truth.end for truth in truths])
    )


def intersection(truths: Sequence[Truth]) -> Truth:
    """Where all hold."""
    first, *others = sorted(truths, key=len)
    for other in others:
        first = _both(first, other)
    return first


def _both(few: Truth, many: Truth) -> Truth:
    if not len(few):
        return FALSE
    place, other = ranges(many.end.searchsorted(few.start, "right"), many.start.searchsorted(few.end, "left"))
    return Truth(np.maximum(few.start[place], many.start[other]), np.minimum(few.end[place], many.end[other]))


def complement(truth: Truth, whole: Truth) -> Truth:
    """Where `whole` holds and `truth`, which lies inside it, does not."""
    if not len(truth):
        return whole
    start = np.sort(np.concatenate((whole.start, truth.end)), kind="stable")
    end = np.sort(np.concatenate((truth.start, whole.end)), kind="stable")
    keep = start < end
    return Truth(start[keep], end[keep])


def distinct(points: Integers) -> Integers:
    """Each once, sorted. Fast where the points are a few sorted lists one after the other, as they often are."""
    ordered = np.sort(points, kind="stable")
    if len(ordered) < 2:
        return ordered
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))]


def ranges(first: Integers, end: Integers, most: int | None = None) -> tuple[Integers, Integers]:
    """Every place in [first, end) of each row, at most so many: the rows and the places."""
    count = np.maximum(end - first, 0)
    if most is not None:
        count = np.minimum(count, most)
    row = np.repeat(np.arange(len(count)), count)
    skipped = count.cumsum() - count
    return row, np.arange(len(row)) - np.repeat(skipped - first, count)
