"""A compiled set of definitions: nodes in order, and which event goes to which of them."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property
from operator import itemgetter
from typing import TypeVar

from schemas.event import CONTEXT, NAME, TIMESTAMP, TYPE
from transforms.profiles.normalize.columns import DEVICE_TYPE
from transforms.profiles.normalize.device import device_type_of
from transforms.profiles.normalize.traits import columns_of_trait
from transforms.segments.language import ast
from transforms.segments.membership import SegmentNode
from transforms.segments.nodes.node import Node
from transforms.segments.nodes.state import NEVER_YET, EventTuple, State
from transforms.segments.nodes.streams import StreamNode

Kind = TypeVar("Kind")
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

    @cached_property
    def _by_segment(self) -> dict[str, SegmentNode]:
        return {node.definition.name: node for node in self.segments}

    def segment(self, name: str) -> SegmentNode:
        """The node of a segment."""
        return self._by_segment[name]

    @cached_property
    def read_late(self) -> tuple[int, Program]:
        """For how long an event counts, at most, in a stream that is read late; the program without those streams.

        Nothing but a computed trait reads them, and that is asked for at the end of a step through many events. Of an
        event that does not count any more by then they need not be told.
        """
        nodes = [node for node, _ in self.computed.values() if isinstance(node, StreamNode) and node.is_read_late()]
        late = {node.id for node in nodes}
        rest = copy(self)
        rest.routes = _without_all(self.routes, late)
        rest.type_routes = _without_all(self.type_routes, late)
        reach = max((node.selection.end for node in nodes), default=0)
        return reach, rest

    def concerned(self, events: Sequence[EventTuple], read_from: int = NEVER_YET) -> list[EventTuple]:
        """The events that any node reads, when those that are read late are read from an instant on."""
        reach, rest = self.read_late
        old = bisect_right(events, read_from - reach, key=itemgetter(TIMESTAMP)) if read_from > NEVER_YET else 0
        return [*rest._concerned(events[:old]), *self._concerned(events[old:])] if old else self._concerned(events)

    def _concerned(self, events: Sequence[EventTuple]) -> list[EventTuple]:
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
        fork = State(state.profile_id)
        fork.cells = {
            number: self.nodes[number].fork(cell)
            for number, cell in state.cells.items()
            if nodes is None or number in nodes
        }
        fork.values = dict(state.values)
        fork.device = state.device
        fork.traits, fork.writes, fork.started_at = dict(state.traits), dict(state.writes), state.started_at
        fork.due = {number: at for number, at in state.due.items() if nodes is None or number in nodes}
        fork.heap = sorted((at, number) for number, at in fork.due.items())
        fork.read_from = state.read_from
        return fork


def _without_all(routes: Mapping[Kind, Route], nodes: Collection[int]) -> dict[Kind, Route]:
    rest = {kind: tuple(one for one in route if one[0].id not in nodes) for kind, route in routes.items()}
    return {kind: route for kind, route in rest.items() if route}


def percent_bucket(salt: str, profile_id: str) -> int:
    """The profile's bucket, 0..99: the same on every machine and in every release."""
    digest = hashlib.sha256(f"{salt}:{profile_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 100


def node_name(meaning: str) -> bytes:
    """What a node is called where its cell is kept: the same in every program that has a node of this meaning."""
    return hashlib.blake2b(meaning.encode(), digest_size=6).digest()
