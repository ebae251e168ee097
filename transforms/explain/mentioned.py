"""Which events, properties and traits a rule names, through the computed traits and segments that it refers to too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from schemas.event import CONTEXT, NAME, TYPE
from transforms.profiles.normalize.columns import DEVICE_TYPE
from transforms.profiles.normalize.device import device_type_of
from transforms.records import Record
from transforms.segments.language import ast
from transforms.segments.language.resolve import trees_of
from transforms.segments.language.walk import walk


class Property(NamedTuple):
    """A property or context field that a rule reads of one kind of event."""

    type: str
    name: str
    source: str
    path: str


class Mentioned(NamedTuple):
    """(event type, name) of the streams, what is read of their events, and paths of the traits.

    `types`: event types of streams without a name; `columns`: typed columns of the profile.
    """

    streams: frozenset[tuple[str, str]]
    properties: frozenset[Property]
    traits: frozenset[str]
    types: frozenset[str]
    columns: frozenset[str]


def mentioned(definitions: ast.Definitions) -> Mentioned:
    """What all of these definitions read."""
    trees = [tree for tree in trees_of(definitions).values() if tree is not None]
    nodes = [node for tree in trees for node, _ in walk(tree)]
    streams = [node for node in nodes if isinstance(node, ast.Stream)]
    return Mentioned(
        frozenset((stream.type, stream.name) for stream in streams if stream.name is not None),
        frozenset(field for tree in trees for field in _properties(tree)),
        frozenset(node.path for node in nodes if isinstance(node, ast.Trait)),
        frozenset(kind for stream in streams if stream.name is None for kind in stream.types()),
        frozenset(node.name for node in nodes if isinstance(node, ast.Column)),
    )


def concerns(read: Mentioned, event: Record) -> bool:
    """Whether an event can matter to what reads all this."""
    if reads(read, event[TYPE], event[NAME]):
        return True
    return DEVICE_TYPE in read.columns and device_type_of(event[CONTEXT]) is not None


def reads(read: Mentioned, kind: str, name: str) -> bool:
    """Whether events of a type and name matter, whatever is in them."""
    return kind == "identify" or kind in read.types or (kind, name) in read.streams


def _properties(tree: ast.Condition | ast.Scalar) -> Iterator[Property]:
    for node, streams in walk(tree):
        if isinstance(node, ast.Field):
            depth = 2 if node.parent else 1
            if len(streams) >= depth:
                stream = streams[-depth]
                if stream.name is not None:
                    yield Property(stream.type, stream.name, node.source, node.path)
