"""Rules as text, as a user would write them: for failure messages, and to feed the parser."""

from __future__ import annotations

from collections.abc import Callable

from tests.reference.values import iso
from transforms.segments.language import ast

UNITS = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
SYMBOLS = {
    "equals": "=",
    "differs": "!=",
    "greater_than": ">",
    "at_least": ">=",
    "less_than": "<",
    "at_most": "<=",
}


def duration(microseconds: int) -> str:
    """A duration in the largest unit that fits."""
    for unit, seconds in UNITS.items():
        if microseconds % (seconds * 1_000_000) == 0 and microseconds:
            return f"{microseconds // (seconds * 1_000_000)} {unit}"
    return f"{microseconds // 1_000_000} seconds"


def quoted(text: str) -> str:
    """A string in single quotes."""
    return f"'{text}'"


def scalar(node: ast.Scalar) -> str:
    """A scalar as text."""
    match node:
        case ast.Literal():
            if isinstance(node.value, bool):
                return str(node.value).lower()
            return quoted(node.value) if isinstance(node.value, str) else str(node.value)
        case ast.Duration():
            return duration(node.microseconds)
        case ast.Instant():
            return node.text
        case ast.Trait():
            return f"trait({quoted(node.path)})"
        case ast.ComputedTrait():
            return f"trait({quoted(node.name)})"
        case ast.Column():
            return f"profile({quoted(node.name)})"
        case ast.Membership():
            return f"trait({quoted('segments.' + node.name)})"
        case ast.Percent():
            return f"percent({quoted(node.salt)})"
        case ast.Field():
            return field(node)
        case ast.Reduced():
            return f"{stream(node.stream)}.{reducer(node)}"


def field(node: ast.Field) -> str:
    """A property or context path as text."""
    name = "property" if node.source == "properties" else "context"
    return f"{name}({'parent: ' if node.parent else ''}{quoted(node.path)})"


def reducer(node: ast.Reduced) -> str:
    """A reducer's call as text."""
    operand = "" if node.operand is None else scalar(node.operand)
    if node.cast is not None:
        operand += f" as {node.cast}"
    if node.min_frequency is not None:
        operand += f", {node.min_frequency}"
    if node.reducer == "unique_count":
        return f"unique({operand}).count()"
    return f"{node.reducer}({operand})"


def stream(node: ast.Stream) -> str:
    """A stream and its filters as text."""
    extractor = "event" if node.type == "track" else node.type
    return f"{extractor}({'' if node.name is None else quoted(node.name)})" + "".join(map(filter_text, node.filters))


def filter_text(node: ast.Where | ast.Window | ast.ParentWindow) -> str:
    """A filter's call as text."""
    if isinstance(node, ast.Where):
        return f".where({condition(node.condition)})"
    if isinstance(node, ast.Window):
        return (
            f".between({duration(node.start)}, {duration(node.end)})"
            if node.start
            else f".within({duration(node.end)})"
        )
    if node.excludes_parent:
        return f".within(parent: {duration(node.end)})"
    return f".between(parent: {duration(node.start)}, {duration(node.end)})"


def comparison(node: ast.Compare) -> str:
    """A comparison as text, by symbol where there is one."""
    if node.operator in SYMBOLS:
        return f"{scalar(node.left)} {SYMBOLS[node.operator]} {scalar(node.arguments[0])}"
    return by_name(node)


def by_name(node: ast.Compare) -> str:
    """A comparison as text, by function."""
    return f"{scalar(node.left)}.{node.operator}({', '.join(map(scalar, node.arguments))})"


def condition(node: ast.Condition) -> str:
    """A condition as text; junctions inside others in parentheses."""
    match node:
        case ast.Compare():
            return comparison(node)
        case ast.HeldFor():
            return f"{by_name(node.comparison)}.held_for({duration(node.duration)})"
        case ast.Not():
            return f"NOT {_inner(node.item)}"
        case ast.And():
            return " AND ".join(map(_inner, node.items))
        case ast.Quantified():
            return f"{'ALL' if node.every else 'ANY'}({condition(node.item)})"
        case ast.Or():
            return " OR ".join(map(_inner, node.items))


def _inner(node: ast.Condition) -> str:
    return f"({condition(node)})" if isinstance(node, ast.And | ast.Or) else condition(node)


LIMITS: tuple[tuple[str, Callable[[ast.SegmentDefinition], str | None]], ...] = (
    ("expires", lambda item: None if item.expires is None else iso(item.expires)),
    ("max_membership", lambda item: None if item.max_membership is None else duration(item.max_membership)),
    ("reentry_after", lambda item: None if item.reentry_after is None else duration(item.reentry_after)),
    ("anonymous", lambda item: None if item.anonymous else "false"),
    ("of", lambda item: None if item.of == "users" else item.of),
    ("members", lambda item: None if item.members is None else str(sorted(item.members))),
)


def segment(node: ast.SegmentDefinition) -> str:
    """A segment on a few lines."""
    lines = [f"segment {node.name}: {'' if node.when is None else condition(node.when)}"]
    limits = ((name, show(node)) for name, show in LIMITS)
    return "\n".join(lines + [f"    {name}: {text}" for name, text in limits if text is not None])


def definitions(node: ast.Definitions) -> str:
    """Every definition as text."""
    traits = [f"trait {trait.name}: {scalar(trait.value)}" for trait in node.traits]
    return "\n".join(traits + [segment(item) for item in node.segments])
