"""From a syntax tree back to text, in one canonical form: `parse(format(tree)) == tree`.

Symbols where there are any, single quotes, the largest whole unit of a duration, only the brackets that are needed.
"""

from __future__ import annotations

from transforms.segments.language import ast
from transforms.segments.language.functions import COMPARATORS, STREAM_TYPES
from transforms.segments.language.literals import BARE_INSTANT, format_duration, quote
from transforms.segments.reducers import REDUCERS

_EXTRACTORS = {kind: name for name, kind in STREAM_TYPES.items()}


def format_condition(condition: ast.Condition) -> str:
    """The condition on one line."""
    if isinstance(condition, ast.Compare):
        return _compare(condition)
    if isinstance(condition, ast.HeldFor):
        return f"{_method(condition.comparison)}.held_for({format_duration(condition.duration)})"
    if isinstance(condition, ast.Quantified):
        return f"{'ALL' if condition.every else 'ANY'}({format_condition(condition.item)})"
    if isinstance(condition, ast.Not):
        return f"NOT {_grouped(condition.item, ast.And | ast.Or)}"
    if isinstance(condition, ast.And):
        return " AND ".join(_grouped(item, ast.And | ast.Or) for item in condition.items)
    return " OR ".join(_grouped(item, ast.Or) for item in condition.items)


def format_scalar(scalar: ast.Scalar) -> str:
    """The value on one line. A resolved name is written as it is looked up: `trait('NAME')`."""
    if isinstance(scalar, ast.Literal):
        return _literal(scalar.value)
    if isinstance(scalar, ast.Duration):
        return format_duration(scalar.microseconds)
    if isinstance(scalar, ast.Instant):
        return scalar.text if BARE_INSTANT.fullmatch(scalar.text) else quote(scalar.text)
    if isinstance(scalar, ast.Reduced):
        return _reduced(scalar)
    if isinstance(scalar, ast.Field):
        name = "property" if scalar.source == "properties" else "context"
        return f"{name}({'parent: ' if scalar.parent else ''}{quote(scalar.path)})"
    if isinstance(scalar, ast.Trait):
        return f"trait({quote(scalar.path)})"
    if isinstance(scalar, ast.Column):
        return f"profile({quote(scalar.name)})"
    if isinstance(scalar, ast.ComputedTrait):
        return f"trait({quote(scalar.name)})"
    if isinstance(scalar, ast.Membership):
        return f"trait({quote(f'segments.{scalar.name}')})"
    return f"percent({quote(scalar.salt)})"


def format_stream(stream: ast.Stream) -> str:
    """The stream with its filters, on one line."""
    name = "" if stream.name is None else quote(stream.name)
    return f"{_EXTRACTORS[stream.type]}({name})" + "".join(map(_filter, stream.filters))


def stream_name(stream: ast.Stream) -> str:
    """What the stream's events are called: `'Order Completed'`, `page 'Home'`, `any page`."""
    if stream.name is None:
        return "any activity" if stream.type == "activity" else f"any {_EXTRACTORS[stream.type]}"
    return f"'{stream.name}'" if stream.type == "track" else f"{stream.type} '{stream.name}'"


def _filter(part: ast.Where | ast.Window | ast.ParentWindow) -> str:
    if isinstance(part, ast.Where):
        return f".where({format_condition(part.condition)})"
    parent = "parent: " if isinstance(part, ast.ParentWindow) else ""
    # `within` is a window from 0; `between(parent: 0, d)` differs from `within(parent: d)`: it holds the parent too.
    if part.excludes_parent if isinstance(part, ast.ParentWindow) else part.start == 0:
        return f".within({parent}{format_duration(part.end)})"
    return f".between({parent}{format_duration(part.start)}, {format_duration(part.end)})"


def _reduced(reduced: ast.Reduced) -> str:
    start = format_stream(reduced.stream)
    if reduced.operand is None:
        return f"{start}.{reduced.reducer}()"
    operand = format_scalar(reduced.operand) + (f" as {reduced.cast}" if reduced.cast else "")
    follows = REDUCERS[reduced.reducer].follows
    if follows:
        return f"{start}.{follows}({operand}).count()"
    frequency = f", {reduced.min_frequency}" if reduced.min_frequency is not None else ""
    return f"{start}.{reduced.reducer}({operand}{frequency})"


def _compare(comparison: ast.Compare) -> str:
    symbol = COMPARATORS[comparison.operator].symbol
    if symbol:
        return f"{format_scalar(comparison.left)} {symbol} {format_scalar(comparison.arguments[0])}"
    return _method(comparison)


def _method(comparison: ast.Compare) -> str:
    left = format_scalar(comparison.left)
    if isinstance(comparison.left, ast.Literal | ast.Instant):
        left = f"literal({left})"
    return f"{left}.{comparison.operator}({', '.join(map(format_scalar, comparison.arguments))})"


def _literal(value: str | int | float | bool) -> str:
    if isinstance(value, str):
        return quote(value)
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _grouped(condition: ast.Condition, looser: object) -> str:
    text = format_condition(condition)
    return f"({text})" if isinstance(condition, looser) else text  # type: ignore[arg-type]
