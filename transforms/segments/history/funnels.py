"""Streams whose `where` reaches beyond the event: each event is asked over the time in which it could count.

In the root scope the stream's events are those of the profile, inside a `where` those that can concern the event that
is asked about. Either way they are owners of a scope of their own, in which the condition is evaluated; where it holds,
the event counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from transforms.segments.comparisons import NEVER
from transforms.segments.history.counting import NONE_COUNT, Counting
from transforms.segments.history.fields import FieldName
from transforms.segments.history.histories import Integers
from transforms.segments.history.scope import NOBODY, Condition, Found, Scope, in_parts
from transforms.segments.history.streams import Selection, concatenated
from transforms.segments.history.timeline import NOTHING, distinct
from transforms.segments.history.world import World


class Binding(NamedTuple):
    """Which events concern one event (their parent): those `nearest` to `farthest` microseconds after it.

    `nearest` -NEVER: at any time. `join`: the fields (of the event, of its parent) that must be equal.
    """

    nearest: int
    farthest: int
    excludes_parent: bool
    join: tuple[FieldName, FieldName] | None


UNBOUND = Binding(-NEVER, NEVER, False, None)


@dataclass(eq=False)
class Funnel:
    """A stream, and the condition that is asked of each of its events (None: they all count)."""

    selection: Selection
    start: int
    end: int
    binding: Binding
    condition: Condition | None

    @property
    def later(self) -> bool:
        """Whether no event that explains one of the stream's is earlier than that one's parent."""
        return self.binding.nearest >= 0 and (self.condition is None or self.condition.later)

    def counting(self, scope: Scope) -> Counting:
        """When which of the stream's events count.

        Raises:
            TooWideError: the scope's owners have too many of them to be asked in one go.
        """
        if self.start >= self.end or not len(scope):
            return NONE_COUNT
        owner, row, start, end = self._candidates(scope)
        if self.condition is not None and len(row):
            row, start, end = asked(scope, self.condition, owner, row, start, end)
        order = np.argsort(start, kind="stable")
        return Counting(row[order], start[order], end[order])

    def _candidates(self, scope: Scope) -> tuple[Integers, Integers, Integers, Integers]:
        """(owner, event, [start, end)) of every event that can concern an owner while that one is asked."""
        world = scope.world
        rows = self.selection.rows(world)
        on_line = world.on_line[rows]
        if scope.row is None:
            owner, at = world.histories.profile[rows], on_line
        else:
            owner, place = self._concerning(scope, rows, on_line)
            rows, at = rows[place], on_line[place] - scope.zero[owner] + owner * scope.span
        start = np.maximum(at + self.start, scope.whole.start[owner])
        end = scope.whole.end[owner]
        if self.end != NEVER:
            end = np.minimum(at + self.end, end)
        keep = np.flatnonzero(start < end)
        return owner[keep], rows[keep], start[keep], end[keep]

    def _concerning(self, scope: Scope, rows: Integers, on_line: Integers) -> Found:
        """(owner, place in rows) of the events that are in the owner's range, and equal it where they are joined."""
        first, last = self.range(scope, on_line)
        if self.binding.join is None:
            owner, place = scope.pairs(first, last)
        else:
            joined = join_of(scope.world, self.selection, self.binding.join[0])
            owner, place = joined.places(scope, self.binding.join[1], first, last)
        if self.binding.excludes_parent and scope.row is not None:
            others = rows[place] != scope.row[owner]
            owner, place = owner[others], place[others]
        return owner, place

    def range(self, scope: Scope, on_line: Integers) -> Found:
        """For each owner the places [first, last) among the stream's events of those that can count for it."""
        world = scope.world
        begin = scope.profile * world.span
        end = scope.zero + (scope.whole.end - scope.whole.start) - self.start
        if self.end != NEVER:
            begin = np.maximum(begin, scope.zero - self.end + 1)
        if self.binding.nearest != -NEVER and scope.row is not None:
            parent = world.on_line[scope.row]
            begin = np.maximum(begin, parent + self.binding.nearest)
            end = np.minimum(end, parent + self.binding.farthest)
        return on_line.searchsorted(begin, "left"), on_line.searchsorted(end, "left")

    # --- why -----------------------------------------------------------------------------------------------------

    def explain(self, scope: Scope, found: Found, points: Integers) -> Found:
        """Beside the events that count at the points, those that make each of them count."""
        which, rows = found
        if self.condition is None or not len(which):
            return found
        condition = self.condition

        def ask(chosen: Integers) -> Found:
            at = points[which[chosen]]
            inner = scope.inside(at // scope.span, at, at + 1, rows[chosen])
            place, because = inner.part(condition).explain(inner.whole.start, True)
            inner.clear()
            return which[chosen][place], because

        return concatenated([found, *in_parts(len(which), ask)])


def asked(
    scope: Scope, condition: Condition, owner: Integers, row: Integers, start: Integers, end: Integers
) -> tuple[Integers, Integers, Integers]:
    """The events' times cut down to where the condition holds of them: (row, start, end), events in order."""

    def ask(chosen: Integers) -> tuple[Integers, Integers, Integers]:
        inner = scope.inside(owner[chosen], start[chosen], end[chosen], row[chosen])
        truth = inner.part(condition).truth
        inner.clear()
        event = truth.start // inner.span
        shift = start[chosen][event] - event * inner.span
        return row[chosen][event], truth.start + shift, truth.end + shift

    pieces = in_parts(len(row), ask)
    rows, starts, ends = (np.concatenate([NOTHING, *(piece[number] for piece in pieces)]) for number in range(3))
    return rows, starts, ends


class Join:
    """The events of a stream by the values of a field: (group of profile and value, row), sorted."""

    def __init__(self, world: World, rows: Integers, field: FieldName) -> None:
        self.world = world
        profiles = world.histories.profile
        place, key = world.field(field).keys(rows) if len(rows) else (NOTHING, NOTHING)
        self.width = int(key.max(initial=0)) + 1
        group = profiles[rows[place]] * self.width + key
        self.groups, code = np.unique(group, return_inverse=True)
        self.rows_end = len(profiles) + 1
        line = code * self.rows_end + rows[place]
        order = np.argsort(line, kind="stable")
        self.line, self.place = line[order], place[order]
        self.rows = rows

    def owners(self, scope: Scope, field: FieldName) -> Found:
        """(owner, group) of every value of the owners' field that some event of the stream has."""
        if scope.row is None:
            raise TypeError("a profile is joined with nothing")
        owner, key = self.world.field(field).keys(scope.row)
        known = key < self.width
        owner, key = owner[known], key[known]
        if not len(self.groups):
            return NOBODY
        wanted = scope.profile[owner] * self.width + key
        group = np.minimum(self.groups.searchsorted(wanted), len(self.groups) - 1)
        same = self.groups[group] == wanted
        return owner[same], group[same]

    def bounds(self, group: Integers, first: Integers, last: Integers) -> Found:
        """The range on the line of a group's events at the places [first, last) of the stream."""
        rows = np.append(self.rows, self.rows_end - 1)
        start = self.line.searchsorted(self.on_line(group, rows[first]), "left")
        return start, self.line.searchsorted(self.on_line(group, rows[last]), "left")

    def on_line(self, group: Integers, row: Integers) -> Integers:
        """Where an event of a group is on the line, if it is there."""
        return group * self.rows_end + row

    def places(self, scope: Scope, field: FieldName, first: Integers, last: Integers) -> Found:
        """(owner, place) of the events at the places [first, last) of each owner that share a value with it."""
        owner, group = self.owners(scope, field)
        which, at = scope.pairs(*self.bounds(group, first[owner], np.maximum(last, first)[owner]))
        width = len(self.rows) + 1
        pair = distinct(owner[which] * width + self.place[at])
        return pair // width, pair % width


def join_of(world: World, selection: Selection, field: FieldName) -> Join:
    """The stream's events by the field, sorted once."""
    return world.keep(selection, lambda: Join(world, selection.rows(world), field), f"by {field}")


def counting_of(scope: Scope, funnel: Funnel) -> Counting:
    """`funnel.counting`, worked out once a scope."""
    return scope.keep(funnel, lambda: funnel.counting(scope))
