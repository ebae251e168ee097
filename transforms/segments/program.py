"""A compiled set of definitions: nodes in order, and which event goes to which of them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence

from schemas.event import CONTEXT, NAME, TYPE
from transforms.profiles.normalize.columns import DEVICE_TYPE
from transforms.profiles.normalize.device import device_type_of
from transforms.profiles.normalize.traits import columns_of_trait
from transforms.segments.language import ast
from transforms.segments.membership import SegmentNode
from transforms.segments.nodes.node import Node
from transforms.segments.nodes.state import EventTuple, State

Route = tuple[tuple[Node, int], ...]
"""The nodes that take an event, each with the role in which it does."""


class Program:
    """What `compile_program` makes. Immutable; one serves any number of profiles.

    `reads` leads from a segment to the nodes that its membership depends on, itself included; `computed_reads` from a
    computed trait to those of its value; `route` from (event type, name) to the nodes that take such an event: those in
    `routes`, or for other names those in `type_routes`; `trait_nodes` from a trait's field to the nodes that read it,
    `column_nodes` from a typed column. `initial` names the nodes that can be true of a
    profile without any of its events; `by_name` leads from a node's name to the node; `shape` differs between programs
    whose nodes have other names.
    """

    def __init__(self, definitions: ast.Definitions) -> None:
        self.definitions = definitions
        self.versions = {segment.name: segment.version for segment in definitions.segments}
        self.nodes: list[Node] = []
        self.routes: dict[tuple[str, str], Route] = {}
        self.type_routes: dict[str, Route] = {}
        self.trait_nodes: dict[str, tuple[Node, ...]] = {}
        self.column_nodes: dict[str, tuple[Node, ...]] = {}
        self.segments: list[SegmentNode] = []
        self.computed: dict[str, tuple[Node, bool]] = {}
        self.initial: tuple[int, ...] = ()
        self.reads: dict[str, frozenset[int]] = {}
        self.computed_reads: dict[str, frozenset[int]] = {}
        self.static_members: dict[str, tuple[int, ...]] = {}
        self.by_name: dict[bytes, Node] = {}
        self.shape = ""

    def route(self, kind: str, name: str) -> Route:
        """The nodes that take an event of this type and name."""
        return self.routes.get((kind, name)) or self.type_routes.get(kind, ())

    def concerned(self, events: Sequence[EventTuple]) -> list[EventTuple]:
        """The events that any node reads."""
        routes, types = self.routes, {"identify", *self.type_routes}
        if DEVICE_TYPE in self.column_nodes:
            return [
                event
                for event in events
                if event[TYPE] in types or (event[TYPE], event[NAME]) in routes or device_type_of(event[CONTEXT])
            ]
        return [event for event in events if event[TYPE] in types or (event[TYPE], event[NAME]) in routes]

    def nodes_of_traits(self, fields: Iterable[str]) -> Iterator[Node]:
        """The nodes that read any of these trait fields, by name or through a typed column."""
        for field in fields:
            yield from self.trait_nodes.get(field, ())
            if self.column_nodes:
                for column in columns_of_trait(field):
                    yield from self.column_nodes.get(column, ())

    def fork(self, state: State, nodes: Collection[int] | None = None) -> State:
        """A copy of a profile's state that goes its own way; of it as much as `nodes` (None: all) need."""
        copy = State(state.profile_id)
        copy.cells = {
            number: self.nodes[number].fork(cell)
            for number, cell in state.cells.items()
            if nodes is None or number in nodes
        }
        copy.values = dict(state.values)
        copy.device = state.device
        copy.traits, copy.writes, copy.started_at = dict(state.traits), dict(state.writes), state.started_at
        copy.due = {number: at for number, at in state.due.items() if nodes is None or number in nodes}
        copy.heap = sorted((at, number) for number, at in copy.due.items())
        return copy


def percent_bucket(salt: str, profile_id: str) -> int:
    """The profile's bucket, 0..99: the same on every machine and in every release."""
    digest = hashlib.sha256(f"{salt}:{profile_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 100


def node_name(meaning: str) -> bytes:
    """What a node is called where its cell is kept: the same in every program that has a node of this meaning."""
    return hashlib.blake2b(meaning.encode(), digest_size=6).digest()
