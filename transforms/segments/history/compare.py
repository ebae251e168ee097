"""Comparisons of scalars: asked once per distinct value, or combination of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from transforms.segments.comparisons import Kind, Timeless, compile_timeless
from transforms.segments.history.event_tests import combinations
from transforms.segments.history.histories import Flags, Integers
from transforms.segments.history.reduced import StreamScalar
from transforms.segments.history.scope import EITHER, NOBODY, ONLY_FALSE, UNKNOWN, Found, Part, Scalar, Scope
from transforms.segments.history.steps import Steps, flags_of
from transforms.segments.history.streams import concatenated
from transforms.segments.history.timeline import FALSE, NOTHING, Truth, complement, distinct, merged, merged_unordered
from transforms.segments.language import ast
from transforms.segments.nodes.node import bounds_from_above
from transforms.segments.operators import FIXED_DATES, RELATIVE_DATES, TEXTS
from transforms.segments.values import as_instant

_ORDERINGS: dict[str, Callable[[Any, Any], Any]] = {
    "greater_than": np.greater,
    "at_least": np.greater_equal,
    "less_than": np.less,
    "at_most": np.less_equal,
}
_EXACT_END = 1 << 53


@dataclass(eq=False)
class Constant:
    """A literal."""

    value: Any
    later: bool = field(default=True, init=False)

    @property
    def default(self) -> Any:
        return self.value

    def steps(self, scope: Scope) -> Steps:
        return Steps(scope.whole.start, np.zeros(len(scope), np.int64), [self.value], self.value)

    def explain(self, scope: Scope, points: Integers) -> Found:
        return NOBODY


@dataclass(eq=False)
class Comparison:
    """`left op arguments`, relative dates apart."""

    comparison: ast.Compare
    test: Timeless
    left: Scalar
    arguments: Sequence[Scalar]
    dated: bool

    def __post_init__(self) -> None:
        self.scalars = (self.left, *self.arguments)
        self.constants = [scalar.value if isinstance(scalar, Constant) else None for scalar in self.scalars]
        self.varying = [place for place, scalar in enumerate(self.scalars) if not isinstance(scalar, Constant)]
        self.later = all(scalar.later for scalar in self.scalars)
        defaults = [scalar.default for scalar in self.scalars]
        self.initially = EITHER if UNKNOWN in defaults else frozenset({self.test(defaults[0], defaults[1:])})

    def part(self, scope: Scope) -> Part:
        def explain(points: Integers, wanted: bool) -> Found:
            # "No more than" is owed to no event.
            owing = self.scalars[1:] if bounds_from_above(self.comparison, wanted) else self.scalars
            return concatenated([scalar.explain(scope, points) for scalar in owing])

        return Part(self._truth(scope), explain)

    def _truth(self, scope: Scope) -> Truth:
        left = self.left
        if isinstance(left, StreamScalar) and self.varying == [0] and left.reduced.reducer == "unique":
            return self._truth_of_list(scope, left)
        steps = [scope.steps(self.scalars[place]) for place in self.varying]
        default = self._ask([found.default for found in steps])
        if not steps:
            return scope.whole if default else FALSE
        if len(steps) == 1:
            return holding(scope, steps[0].at, self._flags(steps[0])[steps[0].code], default=default)
        points = distinct(np.concatenate([scope.whole.start, *(found.at for found in steps)]))
        combined, which = combinations([(found.codes_at(points, scope.span), len(found.values) + 1) for found in steps])
        values = [[*found.values, found.default] for found in steps]

        def holds(codes: tuple[int, ...]) -> bool:
            return self._ask([of[code] for of, code in zip(values, codes, strict=True)])

        return holding(scope, points, flags_of(combined, holds)[which], default=default)

    def _truth_of_list(self, scope: Scope, values: StreamScalar) -> Truth:
        """Of the different values: a list is never null, and a comparison of text holds if it does of any element."""
        if self.comparison.operator not in TEXTS:
            return scope.whole if self._ask([[]]) else FALSE
        text, denies = TEXTS[self.comparison.operator]
        others = self.constants[1:]
        found = values.where_any(scope, lambda value: any(text(value, other) for other in others))
        return complement(found, scope.whole) if denies else found

    def _ask(self, varying: Sequence[Any]) -> bool:
        values = list(self.constants)
        for place, value in zip(self.varying, varying, strict=True):
            values[place] = value
        return self.test(values[0], values[1:])

    def _flags(self, steps: Steps) -> Flags:
        """The answer for each of the values of the one scalar that varies."""
        if steps.numbers is not None and self.varying == [0] and len(self.constants) == 2 and not self.dated:
            bound, ordering = self.constants[1], _ORDERINGS.get(self.comparison.operator)
            if (
                ordering is not None
                and isinstance(bound, int | float)
                and type(bound) is not bool
                and abs(bound) < _EXACT_END
            ):
                flags: Flags = ordering(steps.numbers, bound)
                return flags
        return flags_of(steps.values, lambda value: self._ask([value]))


def holding(scope: Scope, points: Integers, flags: Flags, *, default: bool) -> Truth:
    """Where it holds, if flag i stands from point i to the owner's next; `default` of owners before their first."""
    until = scope.until(points)
    if not default:
        return merged(points[flags], until[flags])
    return complement(merged(points[~flags], until[~flags]), scope.whole)


@dataclass(eq=False)
class RelativeDate:
    """A comparison with a date relative to T: each value holds over a time of its own."""

    operator: str
    duration: int
    left: Scalar
    kind: Kind

    @property
    def later(self) -> bool:
        return self.left.later

    @property
    def initially(self) -> frozenset[bool]:
        return EITHER if isinstance(self.left, Constant) else ONLY_FALSE

    def part(self, scope: Scope) -> Part:
        steps = scope.steps(self.left)
        place, instants = self._instants(steps)
        at, until = steps.at[place], scope.until(steps.at)[place]
        owner = at // scope.span
        start, end = at, until
        lower, upper = _shifts(self.operator, self.duration)
        if lower is not None:
            start = self._bounded(scope, owner, instants + lower, at, until)
        if upper is not None:
            end = self._bounded(scope, owner, instants + upper, at, until)
        holds = start < end
        truth = (merged_unordered if self.kind.many else merged)(start[holds], end[holds])
        return Part(truth, lambda points, _: self.left.explain(scope, points))

    def _instants(self, steps: Steps) -> tuple[Integers, Integers]:
        """(step, instant) of all that the scalar's values say."""
        read = (lambda value: value) if self.kind.instant else as_instant
        lists = [
            [found for item in (value if self.kind.many else (value,)) if (found := read(item)) is not None]
            for value in steps.values
        ]
        counts = np.fromiter((len(found) for found in lists), np.int64, len(lists))
        flat = np.array([instant for found in lists for instant in found], np.int64)
        starts = counts.cumsum() - counts
        count = counts[steps.code] if lists else NOTHING
        place = np.repeat(np.arange(len(count)), count)
        within = np.arange(len(place)) - np.repeat(count.cumsum() - count, count)
        return place, flat[starts[steps.code][place] + within] if len(place) else NOTHING

    @staticmethod
    def _bounded(scope: Scope, owner: Integers, instants: Integers, at: Integers, until: Integers) -> Integers:
        scope.world.note_far(scope.profile[owner], instants)
        return np.clip(scope.position(owner, instants), at, until)


def _shifts(operator: str, duration: int) -> tuple[int | None, int | None]:
    """By how much the bounds of the range in which it holds differ from the value; None is open."""
    return RELATIVE_DATES[operator](0, duration)


def relative_date(comparison: ast.Compare, left: Scalar, kind: Kind) -> RelativeDate:
    """A comparison with a date relative to T."""
    duration = comparison.arguments[0]
    if not isinstance(duration, ast.Duration):
        raise TypeError(f"{comparison.operator} takes a duration")
    return RelativeDate(comparison.operator, duration.microseconds, left, kind)


def timeless(comparison: ast.Compare, left: Scalar, kind: Kind, arguments: list[tuple[Scalar, Kind]]) -> Comparison:
    """Any other comparison. In one of dates a literal is read once, here."""
    dated = comparison.operator in FIXED_DATES or kind.instant or any(of.instant for _, of in arguments)
    if dated:
        arguments = [
            _date_constant(argument, pair) for argument, pair in zip(comparison.arguments, arguments, strict=True)
        ]
    test = compile_timeless(comparison, kind, [of for _, of in arguments])
    return Comparison(comparison, test, left, [scalar for scalar, _ in arguments], dated)


def _date_constant(argument: ast.Scalar, pair: tuple[Scalar, Kind]) -> tuple[Scalar, Kind]:
    if isinstance(argument, ast.Instant):
        return Constant(argument.microseconds), Kind(instant=True)
    if isinstance(argument, ast.Literal):
        return Constant(as_instant(argument.value)), Kind(instant=True)
    return pair
