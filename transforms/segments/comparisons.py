"""Comparisons, compiled: from a `Compare` node to a function of values (and, for relative dates, of T).

A relative date comparison also tells until when its answer holds, so that nobody has to ask again before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from transforms.segments import operators
from transforms.segments.language import ast
from transforms.segments.values import as_instant

NEVER = 1 << 62
"""An instant after every other: "until nothing changes it"."""

Timeless = Callable[[Any, Sequence[Any]], bool]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a scalar before any event: is it an instant, several values, a literal."""

    instant: bool = False
    many: bool = False
    literal: bool = False


def is_relative(comparison: ast.Compare) -> bool:
    return comparison.operator in operators.RELATIVE_DATES


def compile_timeless(comparison: ast.Compare, left: Kind, arguments: Sequence[Kind]) -> Timeless:
    """The comparison as `f(left value, argument values) -> bool`; for every operator but the relative dates."""
    operator = comparison.operator
    if operator == "absent":
        return (lambda value, _: not value) if left.many else (lambda value, _: value is None)
    if operator == "exists":
        return (lambda value, _: bool(value)) if left.many else (lambda value, _: value is not None)
    single = _single(operator, left, arguments)
    return _lift(single, left, arguments)


def _single(operator: str, left: Kind, arguments: Sequence[Kind]) -> Timeless:
    """The comparison of one left value with a flat list of argument values."""
    if operator in operators.FIXED_DATES:
        test = operators.FIXED_DATES[operator]
        return _dates(
            lambda value, others: value is not None and None not in others and test(value, others[0]), left, arguments
        )
    if operator in operators.ORDERINGS:
        ordering = operators.ORDERINGS[operator]
        return _maybe_dates(lambda value, others: ordering(value, others[0]), left, arguments)
    if operator in operators.TEXTS:
        text, denies = operators.TEXTS[operator]
        if denies:
            return lambda value, others: value is not None and not any(text(value, other) for other in others)
        return lambda value, others: any(text(value, other) for other in others)
    denies = operators.EQUALITIES[operator]
    equal = operators.equals_literal if all(kind.literal for kind in arguments) else operators.equals
    if denies:
        return _maybe_dates(
            lambda value, others: value is not None and None not in others and not any(equal(value, o) for o in others),
            left,
            arguments,
        )
    if len(arguments) == 1:
        return _maybe_dates(lambda value, others: equal(value, others[0]), left, arguments)
    return _maybe_dates(lambda value, others: any(equal(value, other) for other in others), left, arguments)


def _maybe_dates(test: Timeless, left: Kind, arguments: Sequence[Kind]) -> Timeless:
    return _dates(test, left, arguments) if left.instant or any(kind.instant for kind in arguments) else test


def _dates(test: Timeless, left: Kind, arguments: Sequence[Kind]) -> Timeless:
    """Reads what is not known to be an instant as an ISO 8601 date first."""
    kinds = [kind.instant for kind in arguments]

    def compare(value: Any, others: Sequence[Any]) -> bool:
        instant = value if left.instant else as_instant(value)
        known = kinds if len(kinds) == len(others) else [kinds[0]] * len(others)
        return test(instant, [o if k else as_instant(o) for o, k in zip(others, known, strict=True)])

    return compare


def _lift(single: Timeless, left: Kind, arguments: Sequence[Kind]) -> Timeless:
    """Several values on a side: the comparison holds if it holds for any pair."""
    if any(kind.many for kind in arguments):
        many = [kind.many for kind in arguments]
        if len(many) == 1:
            inner = single
            if left.many:
                return lambda value, others: any(inner(v, (o,)) for v in value for o in others[0])
            return lambda value, others: any(inner(value, (o,)) for o in others[0])
        flat = single

        def flatten(value: Any, others: Sequence[Any]) -> bool:
            spread = [o for other, several in zip(others, many, strict=True) for o in (other if several else (other,))]
            return any(flat(v, spread) for v in (value if left.many else (value,)))

        return flatten
    if left.many:
        return lambda value, others: any(single(v, others) for v in value)
    return single


def compile_relative(comparison: ast.Compare, left: Kind) -> Callable[[Any, int], tuple[bool, int]]:
    """A relative date comparison as `f(left value, T) -> (holds, until)`: the answer stands before `until`."""
    duration = comparison.arguments[0]
    if not isinstance(duration, ast.Duration):
        raise TypeError(f"{comparison.operator} takes a duration")
    bounds = operators.RELATIVE_DATES[comparison.operator]
    length = duration.microseconds

    def one(value: Any, now: int) -> tuple[bool, int]:
        instant = value if left.instant else as_instant(value)
        if instant is None:
            return False, NEVER
        start, end = bounds(instant, length)
        if start is not None and now < start:
            return False, start
        if end is None:
            return True, NEVER
        return (True, end) if now < end else (False, NEVER)

    def several(values: Any, now: int) -> tuple[bool, int]:
        answers = [one(value, now) for value in values]
        return any(holds for holds, _ in answers), min((until for _, until in answers), default=NEVER)

    return several if left.many else one
