"""Streams whose events count by themselves: which events, and from when to when each counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from transforms.segments.accumulators.accumulator import WITNESSES
from transforms.segments.comparisons import NEVER
from transforms.segments.history.event_tests import EventTest
from transforms.segments.history.fields import FieldName
from transforms.segments.history.histories import Integers
from transforms.segments.history.scope import NOBODY, ONLY_FALSE, Found, Part, Scope, no_events
from transforms.segments.history.timeline import FALSE, distinct, merged, ranges
from transforms.segments.history.world import StreamName, World
from transforms.segments.language import ast
from transforms.segments.reducers import operand_reader


@dataclass(frozen=True, eq=False)
class Selection:
    """The events of a stream that pass what they decide by themselves."""

    stream: StreamName
    test: EventTest | None

    def rows(self, world: World) -> Integers:
        rows = world.rows_of(self.stream)
        if self.test is None or not len(rows):
            return rows
        test = self.test
        return world.keep(self, lambda: rows[test(world, rows)])


@dataclass(frozen=True, eq=False)
class Operand:
    """What an event contributes to a reducer: a tuple of values, or None for nothing."""

    field: FieldName
    reduced: ast.Reduced
    of_field: ast.Field

    def contributions(self, world: World) -> list[tuple[Any, ...] | None]:
        """By the field's codes."""
        read = operand_reader(self.reduced, self.of_field)
        return world.keep(self, lambda: [read(value) for value in world.field(self.field).values])


class Entries:
    """Events that count, each from `start` on and before `end`. Sorted, since all count for the same time."""

    def __init__(self, world: World, rows: Integers, start: int, end: int) -> None:
        self.world = world
        self.rows = rows if start < end else rows[:0]
        self.on_line = world.on_line[self.rows]
        never = world.never[world.histories.profile[self.rows]]
        self.start = self.on_line if not start else np.minimum(self.on_line + start, never)
        self.end = never if end == NEVER else np.minimum(self.on_line + end, never)
        self.endless = end == NEVER

    def __len__(self) -> int:
        return len(self.rows)

    def active(self, points: Integers) -> tuple[Integers, Integers]:
        """The events that count at each point, as [first, last) of the entries."""
        first = self.end.searchsorted(points, "right")
        last: Integers = np.maximum(self.start.searchsorted(points, "right"), first)
        return first, last

    def changes(self) -> Integers:
        """The points at which an event begins or ceases to count."""
        points: Integers = distinct(self.start if self.endless else np.concatenate((self.start, self.end)))
        inside: Integers = points[(points + 1) % self.world.span != 0]
        return inside

    def earliest(self, points: Integers) -> Found:
        """The first events that count at each point, as many as are ever named."""
        place, at = ranges(*self.active(points), WITNESSES)
        return place, self.rows[at]


@dataclass(frozen=True, eq=False)
class Window:
    """The selection's events that contribute anything, each from the age `start` on and before the age `end`."""

    selection: Selection
    operand: Operand | None
    start: int
    end: int

    def entries(self, world: World) -> Entries:
        return world.keep(self, lambda: self._entries(world))

    def _entries(self, world: World) -> Entries:
        rows = self.selection.rows(world)
        if self.operand is not None and len(rows):
            contributes = np.array([found is not None for found in self.operand.contributions(world)], bool)
            rows = rows[contributes[world.field(self.operand.field).of(rows)]]
        return Entries(world, rows, self.start, self.end)


NOWHERE = Part(FALSE, no_events)


@dataclass(eq=False)
class Threshold:
    """`count() >= least`, the commonest rule: the nth event before an event says until when it is one of n."""

    window: Window
    least: int
    later: bool = field(default=False, init=False)
    initially: frozenset[bool] = field(default=ONLY_FALSE, init=False)

    def part(self, scope: Scope) -> Part:
        others = self.least - 1
        if len(self.window.selection.rows(scope.world)) <= others:
            return NOWHERE  # of a thousand rules most concern nobody in the bucket
        entries = self.window.entries(scope.world)
        start, end = entries.start, entries.end
        if others:
            profile = scope.world.histories.profile[entries.rows]
            same = profile[others:] == profile[:-others]
            start, end = start[others:][same], end[:-others][same]

        def explain(points: Integers, wanted: bool) -> Found:
            return entries.earliest(points) if wanted else NOBODY

        return Part(merged(start, end), explain)


def concatenated(found: Sequence[Found]) -> Found:
    """All that several have found."""
    found = [one for one in found if len(one[0])]
    if len(found) < 2:
        return found[0] if found else NOBODY
    return np.concatenate([place for place, _ in found]), np.concatenate([rows for _, rows in found])
