"""What is known of one profile between two steps, and the timers that will change it."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from schemas.event import CONTEXT, MESSAGE_ID, PROPERTIES, TIMESTAMP, TRAITS

EventTuple = tuple[Any, ...]
"""An `Event`, or the same fields as a plain tuple."""

MEMBER = "member"
"""The type of what an account is told of its users: not an event of anybody's (transforms/accounts)."""

_NOTHING: Mapping[str, Any] = {}


class Change(NamedTuple):
    """A profile enters or leaves a segment at the instant `at`; `message_ids` as docs/architecture.md says.

    `times`: of an entry, when each of them was.
    """

    segment: str
    entered: bool
    at: int
    cause: str
    message_ids: tuple[str, ...]
    times: tuple[int, ...] = ()


class EventView:
    """An event as rules read it. `properties` are decoded at once, since nearly every rule reads them."""

    __slots__ = ("_context", "_traits", "event", "message_id", "properties", "timestamp")

    def __init__(self, event: EventTuple) -> None:
        self.event = event
        self.message_id: str = event[MESSAGE_ID]
        self.timestamp: int = event[TIMESTAMP]
        properties = event[PROPERTIES]
        self.properties: Mapping[str, Any] = _NOTHING if properties is None else orjson.loads(properties)
        self._context: dict[str, Any] | None = None
        self._traits: dict[str, Any] | None = None

    @property
    def context(self) -> dict[str, Any]:
        if self._context is None:
            self._context = orjson.loads(self.event[CONTEXT] or b"{}")
        return self._context

    @property
    def traits(self) -> dict[str, Any]:
        if self._traits is None:
            self._traits = orjson.loads(self.event[TRAITS] or b"{}")
        return self._traits


class TraitWrite(NamedTuple):
    """The last write of a trait; `value` None: it was unset."""

    value: Any
    timestamp: int
    message_id: str


NEVER_YET = -(1 << 62)


class State:
    """One profile: nodes' values that differ from their defaults, their cells, and when each wants to be woken.

    `device`: the latest event's `context.device.type`, where a rule reads it. `read_from`: an instant before which
    nobody asks for a computed trait any more, wherever the state has got to. A timer is due at `due[node]`; the heap
    may hold older entries for the node, which are ignored when they come up.
    """

    __slots__ = (
        "cells",
        "changes",
        "device",
        "due",
        "heap",
        "instant",
        "profile_id",
        "read_from",
        "started_at",
        "traits",
        "values",
        "writes",
    )

    def __init__(self, profile_id: str) -> None:
        self.profile_id = profile_id
        self.values: dict[int, Any] = {}
        self.cells: dict[int, Any] = {}
        self.due: dict[int, int] = {}
        self.heap: list[tuple[int, int]] = []
        self.traits: dict[str, Any] = {}
        self.writes: dict[str, TraitWrite] = {}
        self.device: TraitWrite | None = None
        self.started_at: int | None = None
        self.instant: list[EventView] = []
        self.changes: list[Change] = []
        self.read_from = NEVER_YET

    def wake(self, node: int, at: int | None) -> None:
        """Sets the node's one timer (None: takes it away)."""
        if at is None:
            self.due.pop(node, None)
        elif self.due.get(node) != at:
            self.due[node] = at
            heapq.heappush(self.heap, (at, node))

    def next_due(self) -> int | None:
        """The next instant at which anything changes without an event."""
        heap, due = self.heap, self.due
        while heap and due.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def write_traits(self, view: EventView) -> list[str]:
        """Applies an identify; returns the fields that it names."""
        for field, value in view.traits.items():
            if value is None:
                self.traits.pop(field, None)
            else:
                self.traits[field] = value
            self.writes[field] = TraitWrite(value, view.timestamp, view.message_id)
        return list(view.traits)
