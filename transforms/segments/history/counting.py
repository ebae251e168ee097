"""When which events count, and those that do at given points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from transforms.segments.history.histories import Integers
from transforms.segments.history.scope import Found, TooWideError, in_parts
from transforms.segments.history.streams import concatenated
from transforms.segments.history.timeline import NOTHING, ranges

MOST_AT_ONCE = 1 << 22
"""How many events that may count at some points are looked at in one go."""


class Counting(NamedTuple):
    """When events count: `row`'s over [start, end) of a scope's line; in order of start, so of owners, too."""

    row: Integers
    start: Integers
    end: Integers


NONE_COUNT = Counting(NOTHING, NOTHING, NOTHING)


def counting_at(counting: Counting, points: Integers, most: int | None = None) -> Found:
    """(point, row) of the events that count at each point, in order of rows; at most so many of each."""
    if not len(counting.row):
        return NOTHING, NOTHING
    reach = np.maximum.accumulate(counting.end)
    looked = _Look(counting, points, reach.searchsorted(points, "right"), counting.start.searchsorted(points, "right"))
    everybody = np.arange(len(points))
    if most is None:
        return looked.at(everybody)
    if (counting.row[1:] >= counting.row[:-1]).all():
        return _first_few(looked, most)
    which, rows = looked.at(everybody)
    named = _number(which) < most
    return which[named], rows[named]


def _first_few(looked: _Look, most: int) -> Found:
    """Of events in order of rows: looks at a few for each point, and at more where too few of them count."""
    found: list[Found] = []
    waiting, few = np.arange(len(looked.points)), 2 * most
    missing = np.full(len(waiting), most)
    while len(waiting):
        here = looked._replace(last=np.minimum(looked.first + few, looked.last))
        which, rows = here.at(waiting)
        named = _number(which) < missing[which]
        found.append((which[named], rows[named]))
        missing -= np.bincount(which[named], minlength=len(missing))
        waiting = waiting[(missing[waiting] > 0) & (here.last[waiting] < looked.last[waiting])]
        looked, few = looked._replace(first=here.last), 4 * few
    which, rows = concatenated(found)
    order = np.argsort(which, kind="stable")
    return which[order], rows[order]


def _number(which: Integers) -> Integers:
    """The how manieth of its kind each is, of sorted ones."""
    number: Integers = np.arange(len(which)) - which.searchsorted(which, "left")
    return number


class _Look(NamedTuple):
    """The events at the places [first, last) may count at each point."""

    counting: Counting
    points: Integers
    first: Integers
    last: Integers

    def at(self, chosen: Integers) -> Found:
        """(point, row) of those that do at some of the points, in order."""
        return concatenated(in_parts(len(chosen), lambda part: self._at(chosen[part])))

    def _at(self, chosen: Integers) -> Found:
        if len(chosen) > 1 and np.maximum(self.last - self.first, 0)[chosen].sum() > MOST_AT_ONCE:
            raise TooWideError
        which, at = ranges(self.first[chosen], self.last[chosen])
        counts = self.counting.end[at] > self.points[chosen][which]
        which, row = chosen[which[counts]], self.counting.row[at[counts]]
        order = np.lexsort((row, which))
        return which[order], row[order]
