"""What the tracking plan says about a rule: names and types that no schema knows are warnings, never errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from transforms.segments.language import ast
from transforms.segments.language.errors import Problem, SourceFile, closest
from transforms.segments.language.functions import COMPARATORS
from transforms.segments.language.walk import Enclosing, walk


class TrackingPlan(Protocol):
    """What is known of the events that trackers send."""

    def event_names(self) -> set[str]:
        """Names of the track events."""
        ...

    def properties_of(self, name: str) -> dict[str, str] | None:
        """JSON Schema type by property of a track event, or None where its properties are not known."""
        ...

    def trait_names(self) -> set[str]:
        """Names of the profile's traits."""
        ...


def check_against_plan(tree: ast.Condition | ast.Scalar, source: SourceFile, plan: TrackingPlan) -> list[Problem]:
    """Warnings: events, properties and traits that the plan does not name, and types that cannot compare."""
    found: list[Problem] = []
    for node, streams in walk(tree):
        if isinstance(node, ast.Stream) and node.type == "track":
            found += _unknown(node, f"event '{node.name}'", node.name, plan.event_names(), source)
        elif isinstance(node, ast.Trait) and plan.trait_names():
            found += _unknown(node, f"trait '{node.path}'", node.path, plan.trait_names(), source)
        elif isinstance(node, ast.Field):
            properties = _properties(node, streams, plan)
            if properties is not None:
                shown = f"property '{node.path}' of '{_owner(node, streams)}'"
                found += _unknown(node, shown, node.path, set(properties), source)
        elif isinstance(node, ast.Compare):
            found += _incomparable(node, streams, source, plan)
    return found


def _unknown(
    node: ast.Stream | ast.Trait | ast.Field, shown: str, name: str, known: set[str], source: SourceFile
) -> Iterator[Problem]:
    """A name is known by itself or, for a path, by its first part."""
    if name not in known and name.split(".", maxsplit=1)[0] not in known:
        yield source.problem(node.position, f"no schema names the {shown}", suggestion=closest(name, known))


def _owner(field: ast.Field, streams: Enclosing) -> str:
    depth = 2 if field.parent else 1
    return streams[-depth].name if len(streams) >= depth else ""


def _properties(field: ast.Field, streams: Enclosing, plan: TrackingPlan) -> dict[str, str] | None:
    depth = 2 if field.parent else 1
    if field.source != "properties" or len(streams) < depth or streams[-depth].type != "track":
        return None
    return plan.properties_of(streams[-depth].name)


_NEVER = {
    "ordering": ("boolean", "array", "object"),
    "text": ("boolean", "number", "integer", "object"),
    "date": ("boolean", "number", "integer", "array", "object"),
    "relative_date": ("boolean", "number", "integer", "array", "object"),
}


def _incomparable(node: ast.Compare, streams: Enclosing, source: SourceFile, plan: TrackingPlan) -> Iterator[Problem]:
    left, meaning = node.left, COMPARATORS[node.operator].meaning
    if not isinstance(left, ast.Field):
        return
    kind = (_properties(left, streams, plan) or {}).get(left.path)
    if kind is not None and kind in _NEVER.get(meaning, ()):
        message = f"the schema says that '{left.path}' is of type {kind}: {node.operator} never holds"
        yield source.problem(node.position, message)
