"""A profile's state as bytes, and back: what a running profile keeps in the place of its events.

Nodes are found again by their names, not by their places, so that other rules around them do not matter. A name follows
from the text of a rule; what it means when another definition that it refers to has changed, the caller must know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transforms.segments.nodes.node import Node
from transforms.segments.nodes.state import State, TraitWrite
from transforms.segments.program import Program

_VALUE, _DUE, _CELL = 1, 2, 4
"""What is known of a node; it follows in this order."""


def pack_state(program: Program, state: State) -> list[Any]:
    """Plain values for `packing.pack_plain`. No event of the state's instant is kept, no change of membership."""
    numbers = sorted({*state.cells, *state.values, *state.due})
    writes = [(field, *write) for field, write in state.writes.items()]
    device = None if state.device is None else tuple(state.device)
    return [state.started_at, writes, device, [_pack_node(program.nodes[number], state) for number in numbers]]


def _pack_node(node: Node, state: State) -> list[Any]:
    known, parts = 0, []
    if node.id in state.values:
        known, parts = _VALUE, [state.values[node.id]]
    if node.id in state.due:
        known |= _DUE
        parts.append(state.due[node.id])
    if node.id in state.cells:
        known |= _CELL
        parts.append(node.pack(state.cells[node.id]))
    return [node.name, known, *parts]


def unpack_state(program: Program, profile_id: str, packed: Sequence[Any]) -> State:
    """The state in a program; of nodes that the program does not have, nothing."""
    state = State(profile_id)
    state.started_at, writes, device, nodes = packed
    state.device = None if device is None else TraitWrite(*device)
    for field, *write in writes:
        state.writes[field] = TraitWrite(*write)
        if state.writes[field].value is not None:
            state.traits[field] = state.writes[field].value
    for name, known, *parts in nodes:
        if name in program.by_name:
            _unpack_node(program.by_name[name], state, known, iter(parts))
    return state


def _unpack_node(node: Node, state: State, known: int, parts: Any) -> None:
    if known & _VALUE:
        state.values[node.id] = next(parts)
    if known & _DUE:
        state.wake(node.id, next(parts))
    if known & _CELL:
        state.cells[node.id] = node.unpack(next(parts))
