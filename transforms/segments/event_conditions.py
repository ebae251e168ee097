"""Conditions that one event decides by itself, as plain functions of the event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from transforms.segments.comparisons import Kind, compile_timeless
from transforms.segments.language import ast
from transforms.segments.nodes.state import EventView
from transforms.segments.operators import EQUALITIES, FIXED_DATES
from transforms.segments.reducers import operand_reader
from transforms.segments.values import as_instant, is_many, path_getter, split_path

Keep = Callable[[EventView], bool]
Read = Callable[[EventView], Any]


def field_reader(field: ast.Field) -> Read:
    """The value of a property or of a context field in an event."""
    get, parts = path_getter(field.path), split_path(field.path)
    if field.source == "properties":
        if len(parts) == 1 and parts[0] != "$":
            name = parts[0]
            return lambda view: view.properties.get(name)
        return lambda view: get(view.properties)
    return lambda view: get(view.context)


def compile_operand(reduced: ast.Reduced) -> Callable[[EventView], tuple[Any, ...] | None] | None:
    """What an event contributes to the reducer (None: it contributes nothing); None for reducers without a property."""
    if reduced.field is None:
        return None
    read, convert = field_reader(reduced.field), operand_reader(reduced, reduced.field)
    return lambda view: convert(read(view))


def compile_event_condition(conditions: Sequence[ast.Condition]) -> Keep | None:
    """All of the conditions as one function; None where there is none."""
    tests = [_compile(condition) for condition in conditions]
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda view: all(test(view) for test in tests)


def _compile(condition: ast.Condition) -> Keep:
    if isinstance(condition, ast.And | ast.Or):
        tests = [_compile(item) for item in condition.items]
        if isinstance(condition, ast.And):
            return lambda view: all(test(view) for test in tests)
        return lambda view: any(test(view) for test in tests)
    if isinstance(condition, ast.Not):
        denied = _compile(condition.item)
        return lambda view: not denied(view)
    if isinstance(condition, ast.HeldFor | ast.Quantified):
        raise TypeError(f"{type(condition).__name__} is no condition of an event")
    return _comparison(condition)


def _comparison(comparison: ast.Compare) -> Keep:
    dated = comparison.operator in FIXED_DATES
    left = _reader(comparison.left, dated=False)
    arguments = [_reader(argument, dated=dated) for argument in comparison.arguments]
    test = compile_timeless(
        comparison,
        _kind(comparison.left, dated=False),
        [_kind(argument, dated=dated) for argument in comparison.arguments],
    )
    if all(isinstance(argument, ast.Literal | ast.Instant) for argument in comparison.arguments):
        constants = tuple(read(None) for read in arguments)  # type: ignore[arg-type]
        if _is_one_of(comparison, constants):
            # What most rules ask. A text is compared with all of them at once.
            return lambda view: value in constants if type(value := left(view)) is str else test(value, constants)
        return lambda view: test(left(view), constants)
    return lambda view: test(left(view), [read(view) for read in arguments])


def _is_one_of(comparison: ast.Compare, constants: Sequence[Any]) -> bool:
    """Whether a text passes where it is the same as any of the constants, which are texts."""
    return EQUALITIES.get(comparison.operator) is False and all(type(constant) is str for constant in constants)


def _reader(scalar: ast.Scalar, *, dated: bool) -> Read:
    if isinstance(scalar, ast.Field):
        return field_reader(scalar)
    value = constant(scalar, dated=dated)
    return lambda _: value


def constant(scalar: ast.Scalar, *, dated: bool) -> Any:
    """The value of a literal; in a comparison of dates (`dated`) the instant that it names."""
    if isinstance(scalar, ast.Instant):
        return scalar.microseconds if dated else scalar.text
    if isinstance(scalar, ast.Literal):
        return as_instant(scalar.value) if dated else scalar.value
    raise TypeError(f"{type(scalar).__name__} is no literal")


def _kind(scalar: ast.Scalar, *, dated: bool) -> Kind:
    if isinstance(scalar, ast.Field):
        return Kind(many=is_many(scalar.path))
    return Kind(instant=dated, literal=True)
