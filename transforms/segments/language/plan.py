"""What the tracking plan says about a rule: names and types that no schema knows are warnings, never errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from functools import cache
from typing import Protocol

from schemas.errors import Problem
from transforms.segments.language import ast
from transforms.segments.language.errors import SourceFile, closest
from transforms.segments.language.functions import COMPARATORS
from transforms.segments.language.walk import Enclosing, walk


class TrackingPlan(Protocol):
    """What is known of the events that trackers send."""

    def event_names(self) -> Set[str]:
        """Names of the track events."""
        ...

    def properties_of(self, name: str) -> Mapping[str, str] | None:
        """JSON Schema types by property path of a track event (`number|string`), or None where none are known."""
        ...

    def trait_names(self) -> Set[str]:
        """Names of the profile's traits, and paths inside them."""
        ...


def check_against_plan(
    tree: ast.Condition | ast.Scalar, source: SourceFile, plan: TrackingPlan, of: ast.Subject = "users"
) -> list[Problem]:
    """Warnings: events, properties and traits that the plan does not name, and types that cannot compare.

    The plan says nothing of the traits of accounts.
    """
    properties_of = cache(plan.properties_of)
    found: list[Problem] = []
    for node, streams in walk(tree):
        if isinstance(node, ast.Stream) and node.type == "track" and node.name is not None:
            found += _unknown(node, f"event '{node.name}'", node.name, plan.event_names(), source)
        elif isinstance(node, ast.Trait) and plan.trait_names() and of == "users":
            found += _unknown(node, f"trait '{node.path}'", node.path, plan.trait_names(), source)
        elif isinstance(node, ast.Field):
            event = _event_of(node, streams)
            properties = properties_of(event) if event else None
            if properties is not None:
                found += _unknown(node, f"property '{node.path}' of '{event}'", node.path, properties.keys(), source)
        elif isinstance(node, ast.Compare) and isinstance(node.left, ast.Field):
            found += _incomparable(node, node.left, properties_of(_event_of(node.left, streams)), source)
    return found


def _unknown(
    node: ast.Stream | ast.Trait | ast.Field, shown: str, name: str, known: Set[str], source: SourceFile
) -> Iterator[Problem]:
    if not _is_known(name, known):
        yield source.problem(node.position, f"no schema names the {shown}", suggestion=closest(name, known))


def _is_known(path: str, known: Set[str]) -> bool:
    """Whether the plan names the path, or something above it of which it does not say what is inside."""
    parts = ["$" if part.isdigit() else part for part in path.split(".")]
    if path in known or ".".join(parts) in known:
        return True
    above = (".".join(parts[:length]) for length in range(1, len(parts)))
    return any(name in known and not any(other.startswith(f"{name}.") for other in known) for name in above)


def _event_of(field: ast.Field, streams: Enclosing) -> str:
    """The track event whose property the field is, "" where it is none."""
    depth = 2 if field.parent else 1
    if field.source != "properties" or len(streams) < depth or streams[-depth].type != "track":
        return ""
    return streams[-depth].name or ""


_NEVER = {
    "ordering": {"boolean", "array", "object"},
    "text": {"boolean", "number", "integer", "object"},
    "date": {"boolean", "number", "integer", "array", "object"},
    "relative_date": {"boolean", "number", "integer", "array", "object"},
}


def _incomparable(
    node: ast.Compare, left: ast.Field, properties: Mapping[str, str] | None, source: SourceFile
) -> Iterator[Problem]:
    kinds = (properties or {}).get(left.path)
    if kinds is not None and set(kinds.split("|")) <= _NEVER.get(COMPARATORS[node.operator].meaning, set()):
        message = f"the schema says that '{left.path}' is of type {kinds}: {node.operator} never holds"
        yield source.problem(node.position, message)
