"""Makes a failing case smaller: fewer events, fewer definitions, smaller rules, as long as it still fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from tests.reference.instants import nodes
from tests.strategies.cases import Case
from transforms.segments.language import ast

LIMITS: dict[str, Any] = {"expires": None, "max_membership": None, "reentry_after": None, "anonymous": True}


def smallest(case: Case, fails: Callable[[Case], bool]) -> Case:
    """A case that still fails, and none of whose smaller neighbours does."""
    current, found = case, True
    while found:
        found = False
        for smaller in smaller_cases(current):
            if fails(smaller):
                current, found = smaller, True
                break
    return current


def smaller_cases(case: Case) -> Iterator[Case]:
    """The cases that are one step smaller."""
    for definitions in smaller_definitions(case.definitions):
        yield replace(case, definitions=definitions)
    for index in range(len(case.events) if len(case.events) > 1 else 0):
        yield replace(case, events=case.events[:index] + case.events[index + 1 :])
    for index, event in enumerate(case.events):
        for part in ("properties", "traits", "context"):
            for text in _smaller_objects(getattr(event, part)):
                changed = event._replace(**{part: text})  # type: ignore[arg-type] # a part is bytes
                yield replace(case, events=(*case.events[:index], changed, *case.events[index + 1 :]))


def _smaller_objects(text: bytes | None) -> Iterator[bytes]:
    found = json.loads(text) if text is not None else {}
    for name in found:
        rest = {other: value for other, value in found.items() if other != name}
        yield json.dumps(rest, separators=(",", ":")).encode()


def smaller_definitions(definitions: ast.Definitions) -> Iterator[ast.Definitions]:
    """Definitions with one fewer, or with one smaller rule."""
    referred = {node.name for node in nodes(definitions) if isinstance(node, ast.ComputedTrait | ast.Membership)}
    for group in ("segments", "traits"):
        items = getattr(definitions, group)
        for index, item in enumerate(items):
            before, after = items[:index], items[index + 1 :]
            if item.name not in referred:
                yield replace(definitions, **{group: before + after})
            for smaller in _smaller_definition(item):
                yield replace(definitions, **{group: (*before, smaller, *after)})


def _smaller_definition(item: Any) -> Iterator[Any]:
    if isinstance(item, ast.TraitDefinition):
        yield from (replace(item, value=value) for value in smaller_nodes(item.value))
        return
    yield from (replace(item, **{name: none}) for name, none in LIMITS.items() if getattr(item, name) != none)
    if item.when is not None:
        yield from (replace(item, when=when) for when in smaller_nodes(item.when))


def smaller_nodes(node: Any) -> Iterator[Any]:
    """The trees that are one step smaller than a tree, of the same kind."""
    match node:
        case ast.And() | ast.Or():
            yield from node.items
        case ast.Not():
            yield node.item
        case ast.HeldFor():
            yield node.comparison
    if not is_dataclass(node) or isinstance(node, type):
        return
    for part in fields(node):
        child = getattr(node, part.name)
        for smaller in _smaller_children(child) if isinstance(child, tuple) else smaller_nodes(child):
            yield replace(node, **{part.name: smaller})


def _smaller_children(children: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    droppable = (
        all(isinstance(child, ast.Where | ast.Window | ast.ParentWindow) for child in children) or len(children) > 2
    )
    for index, child in enumerate(children):
        if droppable:
            yield children[:index] + children[index + 1 :]
        for smaller in smaller_nodes(child):
            yield (*children[:index], smaller, *children[index + 1 :])
