"""The step function: events of one instant in, changes of membership out. No Beam, no clock.

    state = State(profile_id)
    advance(program, state, until)          # what time alone brings, up to and including `until`
    step(program, state, instant, events)   # the events of one instant, in order of message id

Instants must not go back. At each instant all its events and all timers due are taken in first; then every node that
they concern is brought up to date once, in order, so that memberships are decided by what is true of the whole instant.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from schemas.event import CONTEXT, NAME, TIMESTAMP, TRAITS, TYPE
from transforms.profiles.normalize.columns import DEVICE_TYPE
from transforms.profiles.normalize.device import device_type_of
from transforms.segments.nodes.state import EventTuple, EventView, State, TraitWrite
from transforms.segments.program import Program


def advance(program: Program, state: State, until: int) -> None:
    """Lets time pass: everything that is due at or before `until`, each at its own instant."""
    while (due := state.next_due()) is not None and due <= until:
        step(program, state, due, ())


def step(program: Program, state: State, now: int, events: Sequence[EventTuple]) -> None:
    """Takes in the events of the instant `now` (all of them, in order of message id) and what is due.

    Whatever was due before `now` must have been done by `advance`. Changes are appended to `state.changes`.
    """
    work: list[int] = []
    if state.started_at is None and events:
        state.started_at = now
        work.extend(program.initial)
        work.extend(program.static_members.get(state.profile_id, ()))
    state.instant = []
    for event in events:
        _take(program, state, event, work)
    heap, due = state.heap, state.due
    while heap and heap[0][0] <= now:
        at, number = heapq.heappop(heap)
        if due.get(number) == at:
            del due[number]
            work.append(number)
    if work:
        _settle(program, state, now, work)


def _take(program: Program, state: State, event: EventTuple, work: list[int]) -> None:
    kind = event[TYPE]
    view = None
    if kind == "identify":
        if event[TRAITS] is not None:
            view = EventView(event)
            work.extend(node.id for node in program.nodes_of_traits(state.write_traits(view)))
    else:
        reach, rest = program.read_late
        known = program if event[TIMESTAMP] > state.read_from - reach else rest
        route = known.route(kind, event[NAME])
        if route:
            view = EventView(event)
            for node, role in route:
                if node.absorb(state, view, role):
                    work.extend(node.dependents)
    device_nodes = program.column_nodes.get(DEVICE_TYPE)
    if device_nodes:
        device = device_type_of(event[CONTEXT])
        if device is not None:
            view = view or EventView(event)
            state.device = TraitWrite(device, view.timestamp, view.message_id)
            work.extend(node.id for node in device_nodes)
    if view is not None:
        state.instant.append(view)


def _settle(program: Program, state: State, now: int, work: list[int]) -> None:
    """Brings the nodes up to date, each once, readers after what they read."""
    heapq.heapify(work)
    nodes = program.nodes
    last = -1
    while work:
        number = heapq.heappop(work)
        if number == last:
            continue
        last = number
        node = nodes[number]
        if node.update(state, now):
            for dependent in node.dependents:
                heapq.heappush(work, dependent)


def resume(program: Program, state: State, now: int) -> None:
    """Brings every node up to date at `now`: in a state of which some nodes have never been asked."""
    state.instant = []
    static = program.static_members.get(state.profile_id, ())
    _settle(program, state, now, [*(node.id for node in program.nodes), *static])
