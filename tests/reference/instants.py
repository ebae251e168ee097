"""Every instant at which a rule may change for a profile: a superset, found without understanding the rule."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

from tests.reference.history import History
from tests.reference.values import as_instant
from transforms.segments.language import ast


@lru_cache(maxsize=1024)
def nodes(tree: Any) -> tuple[Any, ...]:
    """Every node below (and with) a node of the syntax tree."""
    return tuple(_nodes(tree))


def _nodes(tree: Any) -> Iterator[Any]:
    if isinstance(tree, tuple):
        for item in tree:
            yield from _nodes(item)
    elif is_dataclass(tree):
        yield tree
        for part in fields(tree):
            yield from _nodes(getattr(tree, part.name))


def lengths(definitions: ast.Definitions) -> set[int]:
    """Every duration that a filter or a comparator is written with."""
    found: set[int] = set()
    for node in nodes(definitions):
        match node:
            case ast.Duration():
                found.add(node.microseconds)
            case ast.Window() | ast.ParentWindow():
                found |= {node.start, node.end}
    return found


def held_sums(definitions: ast.Definitions) -> set[int]:
    """0, and every sum of held_for durations: a change that they delay may be delayed by several."""
    held = [node.duration for node in nodes(definitions) if isinstance(node, ast.HeldFor)]
    chosen = (itertools.combinations(held, size) for size in range(len(held) + 1))
    return {sum(combination) for combination in itertools.chain.from_iterable(chosen)}


def dates(history: History) -> set[int]:
    """Every date in the events and in the rules, and every event time."""
    found: set[int] = set()
    for happening in history.happenings:
        found.add(happening.timestamp)
        for text in itertools.chain(*map(_strings, (happening.properties, happening.traits, happening.context))):
            found |= _instants(text)
    for node in nodes(history.definitions):
        match node:
            case ast.Instant():
                found.add(node.microseconds)
            case ast.Literal(value=str()):
                found |= _instants(str(node.value))
            case ast.SegmentDefinition(expires=int()):
                assert node.expires is not None
                found.add(node.expires)
    return found


def _instants(text: Any) -> set[int]:
    instant = as_instant(text)
    return set() if instant is None else {instant}


def _strings(tree: Any) -> Iterator[Any]:
    """Texts and numbers."""
    if isinstance(tree, str | int | float) and not isinstance(tree, bool):
        yield tree
    elif isinstance(tree, list | dict):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from _strings(item)


def static_instants(history: History) -> list[int]:
    """The instants known beforehand, sorted, from the profile's first event on."""
    offsets = lengths(history.definitions) | {0}
    moved = {date + sign * offset for date in dates(history) for offset in offsets for sign in (1, -1)}
    delays = held_sums(history.definitions)
    return sorted(
        instant for instant in {start + delay for start in moved for delay in delays} if instant >= history.begins
    )
