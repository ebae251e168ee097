"""Junctions, `held_for`, and what a `where` asks of the profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from transforms.segments.history.histories import Integers
from transforms.segments.history.scope import EITHER, Condition, Found, Part, Scalar, Scope
from transforms.segments.history.steps import Steps
from transforms.segments.history.streams import concatenated
from transforms.segments.history.timeline import FALSE, Truth, complement, intersection, union


@dataclass(eq=False)
class Junction:
    """AND (`every`) or OR."""

    items: Sequence[Condition]
    every: bool

    @property
    def later(self) -> bool:
        return all(item.later for item in self.items)

    @property
    def initially(self) -> frozenset[bool]:
        outcomes = [item.initially for item in self.items]
        decided = {self.every} if all(self.every in outcome for outcome in outcomes) else set()
        return frozenset(decided | {outcome for item in outcomes for outcome in item if outcome is not self.every})

    def part(self, scope: Scope) -> Part:
        def explain(points: Integers, wanted: bool) -> Found:
            # An AND that holds owes it to every item, one that does not to its false items; an OR the other way round.
            found = []
            for part in map(scope.part, self.items):
                if self.every is wanted:
                    found.append(part.explain(points, wanted))
                    continue
                decisive = np.flatnonzero(part.truth.at(points) == wanted)
                place, rows = part.explain(points[decisive], wanted)
                found.append((decisive[place], rows))
            return concatenated(found)

        return Part(self._all(scope) if self.every else self._any(scope), explain)

    def _all(self, scope: Scope) -> Truth:
        truths = []
        for item in self.items:
            truths.append(scope.part(item).truth)
            if not len(truths[-1]):
                return FALSE  # of a thousand rules most concern nobody in the bucket
        return intersection(truths)

    def _any(self, scope: Scope) -> Truth:
        return union([scope.part(item).truth for item in self.items])


@dataclass(eq=False)
class Negation:
    """NOT."""

    item: Condition

    @property
    def later(self) -> bool:
        return self.item.later

    @property
    def initially(self) -> frozenset[bool]:
        return frozenset(not outcome for outcome in self.item.initially)

    def part(self, scope: Scope) -> Part:
        part = scope.part(self.item)
        return Part(complement(part.truth, scope.whole), lambda points, wanted: part.explain(points, not wanted))


@dataclass(eq=False)
class Held:
    """`held_for(d)`: true from d after the comparison became true, as long as it is."""

    comparison: Condition
    duration: int
    later: bool = field(default=False, init=False)
    initially: frozenset[bool] = field(default=EITHER, init=False)

    def part(self, scope: Scope) -> Part:
        part = scope.part(self.comparison)
        start = part.truth.start + self.duration
        lasts = start < part.truth.end
        return Part(Truth(start[lasts], part.truth.end[lasts]), lambda points, _: explained_either_way(part, points))


@dataclass(eq=False)
class OfProfile:
    """A condition of the profile, asked inside a `where`."""

    condition: Condition
    later: bool = field(default=False, init=False)
    initially: frozenset[bool] = field(default=EITHER, init=False)

    def part(self, scope: Scope) -> Part:
        part = scope.root.part(self.condition)
        return Part(scope.lift_truth(part.truth), lambda points, _: explained_either_way(part, scope.to_root(points)))


@dataclass(eq=False)
class ScalarOfProfile:
    """A scalar of the profile, read inside a `where`."""

    scalar: Scalar
    later: bool = field(default=False, init=False)

    @property
    def default(self) -> Any:
        return self.scalar.default

    def steps(self, scope: Scope) -> Steps:
        return scope.lift_steps(scope.root.steps(self.scalar))

    def explain(self, scope: Scope, points: Integers) -> Found:
        return self.scalar.explain(scope.root, scope.to_root(points))


def explained_either_way(part: Part, points: Integers) -> Found:
    """What explains the answer, whichever it is at each point."""
    holds = part.truth.at(points)
    found = []
    for wanted in (True, False):
        asked = np.flatnonzero(holds == wanted)
        place, rows = part.explain(points[asked], wanted) if len(asked) else (asked, asked)
        found.append((asked[place], rows))
    return concatenated(found)
