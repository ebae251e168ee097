"""Conditions that one event decides by itself, for all events of a stream: asked once per distinct value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from transforms.segments.comparisons import Kind, compile_timeless
from transforms.segments.event_conditions import constant
from transforms.segments.history.histories import Flags, Integers
from transforms.segments.history.steps import flags_of
from transforms.segments.history.world import World
from transforms.segments.language import ast
from transforms.segments.operators import FIXED_DATES
from transforms.segments.values import is_many

EventTest = Callable[[World, Integers], Flags]
"""Which of the events (by their rows) pass."""


def compile_event_tests(conditions: Sequence[ast.Condition]) -> EventTest | None:
    """All of the conditions; None where there is none."""
    tests = [_compile(condition) for condition in conditions]
    return _junction(tests, every=True) if tests else None


def _compile(condition: ast.Condition) -> EventTest:
    if isinstance(condition, ast.And | ast.Or):
        return _junction([_compile(item) for item in condition.items], every=isinstance(condition, ast.And))
    if isinstance(condition, ast.Not):
        denied = _compile(condition.item)
        return lambda world, rows: ~denied(world, rows)
    if isinstance(condition, ast.HeldFor | ast.Quantified):
        raise TypeError(f"{type(condition).__name__} is no condition of an event")
    return _comparison(condition)


def _junction(tests: Sequence[EventTest], *, every: bool) -> EventTest:
    combine = np.logical_and if every else np.logical_or
    if len(tests) == 1:
        return tests[0]
    return lambda world, rows: combine.reduce([test(world, rows) for test in tests])


def _comparison(comparison: ast.Compare) -> EventTest:
    dated = comparison.operator in FIXED_DATES
    scalars = (comparison.left, *comparison.arguments)
    kinds = [_kind(scalar, dated=dated and place > 0) for place, scalar in enumerate(scalars)]
    test = compile_timeless(comparison, kinds[0], kinds[1:])
    constants = [
        None if isinstance(scalar, ast.Field) else constant(scalar, dated=dated and place > 0)
        for place, scalar in enumerate(scalars)
    ]
    fields = [(place, scalar) for place, scalar in enumerate(scalars) if isinstance(scalar, ast.Field)]
    if not fields:
        always = test(constants[0], constants[1:])
        return lambda world, rows: np.full(len(rows), always)
    return lambda world, rows: _asked(world, rows, test, constants, fields)


def _asked(
    world: World,
    rows: Integers,
    test: Callable[[Any, Sequence[Any]], bool],
    constants: Sequence[Any],
    fields: Sequence[tuple[int, ast.Field]],
) -> Flags:
    """Asks once for each combination of values that there is."""
    if not len(rows):
        return np.zeros(0, bool)
    found = [world.field((scalar.source, scalar.path)) for _, scalar in fields]
    distinct, which = combinations([(field.of(rows), len(field.values)) for field in found])

    def holds(codes: tuple[int, ...]) -> bool:
        values = list(constants)
        for (place, _), field, code in zip(fields, found, codes, strict=True):
            values[place] = field.values[code]
        return test(values[0], values[1:])

    return flags_of(distinct, holds)[which]


def combinations(coded: Sequence[tuple[Integers, int]]) -> tuple[list[tuple[int, ...]], Integers]:
    """Of columns of codes below a bound: the distinct rows, and which of them each row is."""
    if len(coded) == 1 and coded[0][1] <= len(coded[0][0]):
        return [(code,) for code in range(coded[0][1])], coded[0][0]
    which = np.zeros(len(coded[0][0]), np.int64)
    first = NO_ROWS
    for codes, bound in coded:
        _, first, which = np.unique(which * bound + codes, return_index=True, return_inverse=True)
    columns = [codes[first].tolist() for codes, _ in coded]
    return list(zip(*columns, strict=True)), which


NO_ROWS = np.zeros(0, np.int64)


def _kind(scalar: ast.Scalar, *, dated: bool) -> Kind:
    if isinstance(scalar, ast.Field):
        return Kind(many=is_many(scalar.path))
    return Kind(instant=dated, literal=True)
