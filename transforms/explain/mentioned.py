"""Which events, properties and traits a rule names, through the computed traits and segments that it refers to too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from transforms.segments.language import ast
from transforms.segments.language.resolve import references
from transforms.segments.language.walk import walk

Trees = list["ast.Condition | ast.Scalar"]


class Property(NamedTuple):
    """A property or context field that a rule reads of one kind of event."""

    type: str
    name: str
    source: str
    path: str


class Mentioned(NamedTuple):
    """(event type, name) of the streams, what is read of their events, and paths of the traits."""

    streams: frozenset[tuple[str, str]]
    properties: frozenset[Property]
    traits: frozenset[str]


def needed_definitions(definitions: ast.Definitions, names: frozenset[str]) -> ast.Definitions:
    """The definitions of these names and those that they refer to, in order."""
    trees = _trees(definitions)
    needed, waiting = set[str](), list(names)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            tree = trees.get(name)
            waiting += references(tree) if tree is not None else ()
    return ast.Definitions(
        tuple(segment for segment in definitions.segments if segment.name in needed),
        tuple(trait for trait in definitions.traits if trait.name in needed),
    )


def mentioned(definitions: ast.Definitions) -> Mentioned:
    """What all of these definitions read."""
    trees = [tree for tree in _trees(definitions).values() if tree is not None]
    return Mentioned(
        frozenset((node.type, node.name) for tree in trees for node, _ in walk(tree) if isinstance(node, ast.Stream)),
        frozenset(field for tree in trees for field in _properties(tree)),
        frozenset(node.path for tree in trees for node, _ in walk(tree) if isinstance(node, ast.Trait)),
    )


def _trees(definitions: ast.Definitions) -> dict[str, ast.Condition | ast.Scalar | None]:
    trees: dict[str, ast.Condition | ast.Scalar | None] = {trait.name: trait.value for trait in definitions.traits}
    return trees | {segment.name: segment.when for segment in definitions.segments}


def _properties(tree: ast.Condition | ast.Scalar) -> Iterator[Property]:
    for node, streams in walk(tree):
        if isinstance(node, ast.Field):
            depth = 2 if node.parent else 1
            if len(streams) >= depth:
                stream = streams[-depth]
                yield Property(stream.type, stream.name, node.source, node.path)
