"""Reduced streams whose events count by themselves.

At any point the events that count are a run of the entries, [first, last). Most reducers are worked out for any runs at
once (`accumulators/runs.py`), and so for every point at which a run changes. Those that are not (modes and lists of
values) go event by event, profile by profile (`loops.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from transforms.segments.history.accumulators.forms import DECIDED_BY_ONE, EXTREMES, OF_VALUES, SUMS
from transforms.segments.history.accumulators.runs import (
    OF_RUNS,
    contributions,
    digits,
    distinct_values,
    keys,
    ranks,
    reduce_runs,
    reduced_one_by_one,
    reigns,
)
from transforms.segments.history.accumulators.sums import fitting_profiles
from transforms.segments.history.counting import Counting
from transforms.segments.history.histories import Flags, Integers
from transforms.segments.history.loops import looped_steps
from transforms.segments.history.scope import NOBODY, Found, Scope
from transforms.segments.history.steps import Steps
from transforms.segments.history.streams import Entries, Window
from transforms.segments.history.timeline import FALSE, NOTHING, Truth, merged, totals
from transforms.segments.history.traits import explained_by_rows
from transforms.segments.language import ast
from transforms.segments.reducers import default_value


@dataclass(eq=False)
class StreamScalar:
    """A reduced stream."""

    window: Window
    reduced: ast.Reduced
    later: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.default: Any = default_value(self.reduced.reducer)

    def entries(self, scope: Scope) -> Entries:
        return self.window.entries(scope.world)

    # --- over time -----------------------------------------------------------------------------------------------

    def steps(self, scope: Scope) -> Steps:
        entries, reducer = self.entries(scope), self.reduced.reducer
        if not len(entries):
            return Steps(NOTHING, NOTHING, [], self.default)
        if reducer in SUMS:
            return self._sums(scope, entries)
        if reducer == "unique_count":
            return self._different(scope, entries)
        if reducer in EXTREMES:
            return self._extremes(scope, entries)
        if reducer in OF_RUNS:
            return self._of_runs(entries)
        return self._looped(scope, entries, np.ones(len(entries), bool))

    def _of_runs(self, entries: Entries) -> Steps:
        points = entries.changes()
        first, last = entries.active(points)
        found = reduce_runs(self.reduced, self.window.operand, entries, first, last)
        return Steps(points, found.code, found.values, self.default, numbers=found.numbers, rows=found.rows)

    def _looped(self, scope: Scope, entries: Entries, wanted: Flags) -> Steps:
        """Event by event, for some of the entries."""
        counting = Counting(entries.rows[wanted], entries.start[wanted], entries.end[wanted])
        contributed = [
            values
            for values, is_wanted in zip(contributions(self.window.operand, entries), wanted.tolist(), strict=True)
            if is_wanted
        ]
        return looped_steps(scope, counting, contributed, self.reduced, self.default)

    def _sums(self, scope: Scope, entries: Entries) -> Steps:
        added, code = digits(self.window.operand, entries)
        profile = scope.world.histories.profile[entries.rows]
        fits = fitting_profiles(added, code, profile, scope.world.count)
        if fits.all():
            return self._of_runs(entries)
        # Those that do not fit are zeros in the running totals, and their profiles are taken out again.
        plain, odd = self._of_runs(entries), self._looped(scope, entries, ~fits[profile])
        keep = fits[plain.at // scope.span]
        at = np.concatenate((plain.at[keep], odd.at))
        order = np.argsort(at, kind="stable")
        code = np.concatenate((plain.code[keep], odd.code + len(plain.values)))
        return Steps(at[order], code[order], [*plain.values, *odd.values], self.default)

    def _different(self, scope: Scope, entries: Entries) -> Steps:
        """How many different values: each counts where any event with it does."""
        place, key = keys(self.window.operand, entries)
        start, end = entries.start[place], entries.end[place]
        group = scope.world.histories.profile[entries.rows[place]] * (int(key.max(initial=0)) + 1) + key
        order = np.argsort(group, kind="stable")
        group, start, end = group[order], start[order], end[order]
        counts = start < end
        group, start, end = group[counts], start[counts], end[counts]
        begins = np.flatnonzero(np.append(True, (group[1:] != group[:-1]) | (start[1:] > end[:-1])))
        ends = np.append(begins[1:] - 1, len(group) - 1)
        start, end = start[begins], end[ends]
        one = np.ones(len(start), np.int64)
        points, (count,) = totals(np.concatenate((start, end)), [np.concatenate((one, -one))])
        most = int(count.max(initial=0))
        return Steps(points, count, range(most + 1), self.default, numbers=np.arange(most + 1, dtype=float))

    def _extremes(self, scope: Scope, entries: Entries) -> Steps:
        """Each event is the extreme from when it counts, or one that beats it goes, until it goes or is beaten."""
        best = ranks(self.reduced, self.window.operand, entries)
        start, end = reigns(entries, best.level)
        lasting = np.flatnonzero(start < end)
        order = lasting[np.argsort(start[lasting], kind="stable")]
        start, end = start[order], end[order]
        # Where nobody follows at once, there is none.
        alone = np.append(end[:-1] != start[1:], True) & ((end + 1) % scope.span != 0)
        at = np.concatenate((start, end[alone]))
        code = np.concatenate((best.code[order], np.full(int(alone.sum()), len(best.values))))
        rows = np.concatenate((entries.rows[order], np.full(int(alone.sum()), -1)))
        sort = np.argsort(at, kind="stable")
        return Steps(at[sort], code[sort], [*best.values, None], self.default, rows=rows[sort])

    def where_any(self, scope: Scope, passes: Callable[[Any], bool]) -> Truth:
        """Where any value of the events that count passes."""
        entries = self.entries(scope)
        if self.window.operand is None or not len(entries):
            return FALSE
        found = self.window.operand.contributions(scope.world)
        flags = np.array([any(map(passes, values or ())) for values in found], bool)
        some = flags[scope.world.field(self.window.operand.field).of(entries.rows)]
        return merged(entries.start[some], entries.end[some])

    # --- at one instant ------------------------------------------------------------------------------------------

    def final(self, scope: Scope) -> list[Any]:
        """The value of each owner at `as_of`, without all that came before."""
        world = scope.world
        entries, reducer = self.entries(scope), self.reduced.reducer
        values = [self.default] * len(scope)
        if not len(entries):
            return values
        now = scope.zero + (world.as_of - world.origin)
        first, last = entries.active(now)
        owners = np.flatnonzero(first < last)
        first, last = first[owners], last[owners]
        for owner, value in zip(owners.tolist(), self._of(entries, first, last, reducer), strict=True):
            values[owner] = value
        return values

    def _of(self, entries: Entries, first: Integers, last: Integers, reducer: str) -> list[Any]:
        if reducer in SUMS:
            added, code = digits(self.window.operand, entries)
            profile = entries.world.histories.profile[entries.rows]
            if not fitting_profiles(added, code, profile, entries.world.count).all():
                return reduced_one_by_one(self.reduced, self.window.operand, entries, first, last)
        if reducer in OF_RUNS:
            found = reduce_runs(self.reduced, self.window.operand, entries, first, last)
            return [found.values[code] for code in found.code.tolist()]
        if reducer in OF_VALUES:
            return distinct_values(self.reduced, self.window.operand, entries, first, last)
        return reduced_one_by_one(self.reduced, self.window.operand, entries, first, last)

    # --- why -----------------------------------------------------------------------------------------------------

    def explain(self, scope: Scope, points: Integers) -> Found:
        entries = self.entries(scope)
        if not len(entries):
            return NOBODY
        if self.reduced.reducer in DECIDED_BY_ONE:
            return explained_by_rows(scope, scope.steps(self), points)
        return entries.earliest(points)
