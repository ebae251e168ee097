"""Funnels brought down to one value, of the profile or, inside a `where`, of the event that is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from transforms.segments.accumulators.accumulator import WITNESSES
from transforms.segments.comparisons import NEVER
from transforms.segments.history.accumulators.forms import DECIDED_BY_ONE, SUMS
from transforms.segments.history.accumulators.sums import Digits, digits_of, fitting_profiles, sums_of
from transforms.segments.history.counting import Counting, counting_at
from transforms.segments.history.fields import FieldName
from transforms.segments.history.funnels import Funnel, counting_of, join_of
from transforms.segments.history.histories import Integers
from transforms.segments.history.loops import looped_steps
from transforms.segments.history.scope import NOBODY, ONLY_FALSE, Found, Part, Scope
from transforms.segments.history.steps import Steps
from transforms.segments.history.streams import NOWHERE, Operand
from transforms.segments.history.timeline import NOTHING, Truth, covered, totals
from transforms.segments.language import ast
from transforms.segments.reducers import accumulator, default_value
from transforms.segments.values import is_many


@dataclass(eq=False)
class FunnelThreshold:
    """`count() >= least`.

    `follows`: nothing that a nested stream takes comes before its parent, so that the earliest events explain enough.
    """

    funnel: Funnel
    least: int
    follows: bool
    initially: frozenset[bool] = field(default=ONLY_FALSE, init=False)

    @property
    def later(self) -> bool:
        return self.funnel.later

    def part(self, scope: Scope) -> Part:
        if not len(self.funnel.selection.rows(scope.world)):
            return NOWHERE

        def explain(points: Integers, wanted: bool) -> Found:
            if not wanted:
                return NOBODY
            few = WITNESSES if self._few_explain(scope) else None
            return self.funnel.explain(scope, counting_at(counting_of(scope, self.funnel), points, few), points)

        return Part(self._truth(scope), explain)

    def _few_explain(self, scope: Scope) -> bool:
        if scope.row is None:
            return self.follows
        return self.funnel.condition is None or self.funnel.condition.later

    def _truth(self, scope: Scope) -> Truth:
        if scope.row is not None and self._is_decided_by_one():
            return self._from_nth(scope, scope.row)
        counting = counting_of(scope, self.funnel)
        return covered(counting.start, counting.end, self.least)

    # --- events that, once there, count for good: the nth one decides ----------------------------------------------

    def _is_decided_by_one(self) -> bool:
        funnel = self.funnel
        joins = funnel.binding.join
        counted_once = self.least == 1 or joins is None or not any(is_many(path) for _, path in joins)
        return funnel.condition is None and (funnel.start, funnel.end) == (0, NEVER) and counted_once

    def _from_nth(self, scope: Scope, parent: Integers) -> Truth:
        rows = self.funnel.selection.rows(scope.world)
        on_line = scope.world.on_line[rows]
        first, last = self.funnel.range(scope, on_line)
        if self.funnel.binding.join is None:
            owner = np.arange(len(scope))
            at = self._nth(first, rows, parent)
            owner, place = owner[at < last], at[at < last]
        else:
            joined = join_of(scope.world, self.funnel.selection, self.funnel.binding.join[0])
            owner, group = joined.owners(scope, self.funnel.binding.join[1])
            first, last = joined.bounds(group, first[owner], np.maximum(first, last)[owner])
            at = self._nth(first, joined.line, joined.on_line(group, parent[owner]))
            owner, at = owner[at < last], at[at < last]
            place = joined.place[at]
        start = np.full(len(scope), np.iinfo(np.int64).max)
        np.minimum.at(start, owner, on_line[place] - scope.zero[owner] + owner * scope.span)
        start = np.maximum(start, scope.whole.start)
        lasts = start < scope.whole.end
        return Truth(start[lasts], scope.whole.end[lasts])

    def _nth(self, first: Integers, line: Integers, parent: Integers) -> Integers:
        """The place of the nth event on a sorted line from `first` on, the parent itself not counted."""
        at = first + (self.least - 1)
        if self.funnel.binding.excludes_parent and len(line):
            own = line.searchsorted(parent)
            is_there = line[np.minimum(own, len(line) - 1)] == parent
            at = at + (is_there & (first <= own) & (own <= at))
        return at


@dataclass(eq=False)
class FunnelScalar:
    """A funnel's value. `of_parent`: the operand is a field of the parent, not of the events themselves."""

    funnel: Funnel
    reduced: ast.Reduced
    operand: Operand | None
    of_parent: bool

    def __post_init__(self) -> None:
        self.default: Any = default_value(self.reduced.reducer)

    @property
    def later(self) -> bool:
        return self.funnel.later

    # --- over time -----------------------------------------------------------------------------------------------

    def steps(self, scope: Scope) -> Steps:
        counting, code = self._contributing(scope)
        if not len(counting.row):
            return Steps(NOTHING, NOTHING, [], self.default)
        if self.reduced.reducer == "count":
            points, (count,) = self._totals(scope, counting, [np.ones(len(counting.row), np.int64)])
            most = int(count.max(initial=0))
            return Steps(points, count, range(most + 1), 0, numbers=np.arange(most + 1, dtype=float))
        if self.reduced.reducer in SUMS:
            added = self._digits(scope)
            owner = counting.start // scope.span
            if fitting_profiles(added, code, owner, len(scope)).all():
                return self._sums(scope, counting, added, code)
        return self._looped(scope, counting, code)

    def _contributing(self, scope: Scope) -> tuple[Counting, Integers]:
        """The events that contribute anything, and the codes of what they do."""
        return scope.keep(self, lambda: self._find_contributing(scope), "contributing")

    def _find_contributing(self, scope: Scope) -> tuple[Counting, Integers]:
        counting = counting_of(scope, self.funnel)
        if self.operand is None or not len(counting.row):
            return counting, np.zeros(len(counting.row), np.int64)
        rows = counting.row
        if self.of_parent and scope.row is not None:
            rows = scope.row[counting.start // scope.span]
        code = scope.world.field(self.operand.field).of(rows)
        found = self.operand.contributions(scope.world)
        keep = np.array([one is not None for one in found], bool)[code]
        return Counting(*(column[keep] for column in counting)), code[keep]

    def _digits(self, scope: Scope) -> Digits:
        operand, world = self.operand, scope.world
        if operand is None:
            raise TypeError("a sum is of a property")
        return world.keep(operand, lambda: digits_of(operand.contributions(world)), "digits")

    @staticmethod
    def _totals(scope: Scope, counting: Counting, columns: Sequence[Integers]) -> tuple[Integers, list[Integers]]:
        changes = [np.concatenate((column, -column)) for column in columns]
        points, found = totals(np.concatenate((counting.start, counting.end)), changes)
        inside = points < scope.whole.end[points // scope.span]
        return points[inside], [column[inside] for column in found]

    def _sums(self, scope: Scope, counting: Counting, added: Digits, code: Integers) -> Steps:
        columns = [column[code] for column in (added.digits, added.values, added.fractions)]
        points, (digits, count, fractions) = self._totals(scope, counting, columns)
        values, numbers = sums_of(self.reduced.reducer, digits, count, fractions, added.scale)
        return Steps(points, np.arange(len(values)), values, self.default, numbers=numbers)

    def _looped(self, scope: Scope, counting: Counting, code: Integers) -> Steps:
        found = [()] if self.operand is None else self.operand.contributions(scope.world)
        return looped_steps(scope, counting, [found[one] or () for one in code.tolist()], self.reduced, self.default)

    # --- why -----------------------------------------------------------------------------------------------------

    def explain(self, scope: Scope, points: Integers) -> Found:
        counting, _ = self._contributing(scope)
        decided_by_one = self.reduced.reducer in DECIDED_BY_ONE
        few = self.funnel.condition is None or self.funnel.condition.later
        found = counting_at(counting, points, WITNESSES if few and not decided_by_one else None)
        return self.funnel.explain(scope, self._deciding(scope, found, points) if decided_by_one else found, points)

    def _deciding(self, scope: Scope, found: Found, points: Integers) -> Found:
        """Of the events that count at each point the one that decides."""
        which, rows = found
        values = self._values_of(scope, points[which] // scope.span, rows)
        running = accumulator(self.reduced, endless=True)
        chosen: list[int] = []
        entries = zip(which.tolist(), values, range(len(which)), strict=True)
        for _, group in groupby(entries, key=lambda one: one[0]):
            # The place in `found` stands in for the message id.
            own = [(0, str(place), value) for _, value, place in group]
            chosen += [int(entry[1]) for entry in running.deciding(own)]
        at = np.array(chosen, np.int64)
        return which[at], rows[at]

    def _values_of(self, scope: Scope, owner: Integers, rows: Integers) -> list[tuple[Any, ...]]:
        if self.operand is None:
            return [()] * len(rows)
        if self.of_parent and scope.row is not None:
            rows = scope.row[owner]
        found, field = self.operand.contributions(scope.world), scope.world.field(self.operand.field)
        return [found[code] or () for code in field.of(rows).tolist()]


@dataclass(eq=False)
class FieldScalar:
    """A property or context field of the event that is asked about, or (`of_parent`) of the one that encloses it."""

    name: FieldName
    of_parent: bool
    later: bool = field(default=True, init=False)

    @property
    def default(self) -> Any:
        return [] if is_many(self.name[1]) else None

    def steps(self, scope: Scope) -> Steps:
        rows = scope.parent_row if self.of_parent else scope.row
        if rows is None:
            raise TypeError("a field has no meaning outside a where")
        values = scope.world.field(self.name)
        return Steps(scope.whole.start, values.of(rows), values.values, self.default)

    def explain(self, scope: Scope, points: Integers) -> Found:
        return NOBODY
