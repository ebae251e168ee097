"""What a stream's filters add up to, and what a condition inside a `where` depends on."""

from __future__ import annotations

from collections.abc import Iterator

from transforms.segments.comparisons import NEVER, is_relative
from transforms.segments.language import ast


def window_of(stream: ast.Stream) -> tuple[int, int]:
    """The ages [start, end) at which the stream's events count: all of its windows together."""
    windows = [item for item in stream.filters if isinstance(item, ast.Window)]
    return max((w.start for w in windows), default=0), min((w.end for w in windows), default=NEVER)


def conjuncts(stream: ast.Stream) -> list[ast.Condition]:
    """The conditions that must all hold of the stream's events."""
    found: list[ast.Condition] = []
    waiting: list[ast.Condition] = [item.condition for item in stream.filters if isinstance(item, ast.Where)]
    while waiting:
        condition = waiting.pop(0)
        if isinstance(condition, ast.And):
            waiting = [*condition.items, *waiting]
        else:
            found.append(condition)
    return found


def comparisons(condition: ast.Condition) -> Iterator[ast.Compare]:
    """Every comparison of the condition; not those inside nested streams."""
    if isinstance(condition, ast.And | ast.Or):
        for item in condition.items:
            yield from comparisons(item)
    elif isinstance(condition, ast.Not):
        yield from comparisons(condition.item)
    elif isinstance(condition, ast.HeldFor):
        yield condition.comparison
    elif isinstance(condition, ast.Compare):
        yield condition


def is_event_condition(condition: ast.Condition) -> bool:
    """Whether the event alone decides the condition, once and for all."""
    return not isinstance(condition, ast.HeldFor) and all(
        not is_relative(comparison)
        and all(
            (isinstance(scalar, ast.Field) and not scalar.parent) or isinstance(scalar, ast.Literal | ast.Instant)
            for scalar in (comparison.left, *comparison.arguments)
        )
        for comparison in comparisons(condition)
    )


def is_profile_scalar(scalar: ast.Scalar) -> bool:
    """Whether a scalar inside a `where` is the same for every event: no property, no funnel on the event."""
    if isinstance(scalar, ast.Field):
        return False
    if not isinstance(scalar, ast.Reduced):
        return True
    return not ((scalar.field is not None and scalar.field.parent) or _reads_parent(scalar.stream))


def is_profile_condition(condition: ast.Condition) -> bool:
    """Whether a condition inside a `where` is the same for every event."""
    return all(
        is_profile_scalar(scalar)
        for comparison in comparisons(condition)
        for scalar in (comparison.left, *comparison.arguments)
    )


def _reads_parent(stream: ast.Stream) -> bool:
    return any(isinstance(item, ast.ParentWindow) for item in stream.filters) or any(
        isinstance(scalar, ast.Field) and scalar.parent
        for condition in conjuncts(stream)
        for comparison in comparisons(condition)
        for scalar in (comparison.left, *comparison.arguments)
    )
