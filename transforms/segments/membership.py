"""From a rule's truth to membership: expiry, longest stay, pause before the next entry.

The cell is [entered_at or None, left_at or None, spent, message_ids]: `spent` after a stay that ended by
`max_membership` without a `reentry_after`, until the rule has been false; `message_ids` as (timestamp, id).
The timer stands at the next instant at which one of the options acts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemas.event import NAME, TYPE
from transforms.segments.language import ast
from transforms.segments.nodes.accumulators import WITNESSES
from transforms.segments.nodes.node import Node, Witness
from transforms.segments.nodes.state import Change, EventView, State


class Mentions:
    """What a rule reads, directly or through other definitions: (event type, name) pairs and trait fields."""

    def __init__(self, streams: frozenset[tuple[str, str]], fields: frozenset[str]) -> None:
        self.streams = streams
        self.fields = fields

    def concerns(self, view: EventView) -> bool:
        kind = view.event[TYPE]
        if kind == "identify":
            return bool(self.fields) and not self.fields.isdisjoint(view.traits)
        return (kind, view.event[NAME]) in self.streams


class SegmentNode(Node):
    """One segment: true while the profile is a member. Every change is said in `state.changes`.

    `starts_true`: a profile without any event of the rule's may be a member.
    """

    default = False

    def __init__(
        self,
        definition: ast.SegmentDefinition,
        holds: Callable[[Any], bool],
        explain: Callable[[State, int], Witness],
        mentions: Mentions,
        *,
        starts_true: bool,
    ) -> None:
        super().__init__()
        self.definition = definition
        self.holds = holds
        self.explain = explain
        self.mentions = mentions
        self.starts_true = starts_true

    def update(self, state: State, now: int) -> bool:
        definition = self.definition
        cell = state.cells.get(self.id)
        truth = self.holds(state.values.get) and (definition.anonymous or state.profile_id.startswith("user:"))
        if definition.members is not None:
            truth = state.profile_id.removeprefix("user:") in definition.members and state.profile_id.startswith(
                "user:"
            )
        if cell is None:
            if not truth:
                return False
            cell = state.cells[self.id] = [None, None, False, ()]
        changed = self._leave(state, cell, truth, now) if cell[0] is not None else self._enter(state, cell, truth, now)
        state.wake(self.id, self._next_due(cell, truth, now))
        return changed

    def _enter(self, state: State, cell: list[Any], truth: bool, now: int) -> bool:
        definition = self.definition
        if not truth:
            cell[2] = False
            return False
        paused = (
            cell[1] is not None and definition.reentry_after is not None and now < cell[1] + definition.reentry_after
        )
        if cell[2] or paused or self._expired(now):
            return False
        cell[0] = now
        cell[3] = tuple(sorted(self.explain(state, now))[:WITNESSES])
        state.changes.append(Change(definition.name, True, now, self._cause(state, now), tuple(i for _, i in cell[3])))
        return self.set(state, True)

    def _leave(self, state: State, cell: list[Any], truth: bool, now: int) -> bool:
        definition = self.definition
        over = definition.max_membership is not None and now >= cell[0] + definition.max_membership
        if truth and not over and not self._expired(now):
            return False
        cell[0], cell[1], cell[2], cell[3] = None, now, over and truth and definition.reentry_after is None, ()
        cause = self._cause(state, now)
        if cause == "time" and self._expired(now):
            cause = "segment_expired"
        ids = tuple(view.message_id for view in state.instant if self.mentions.concerns(view))[:WITNESSES]
        state.changes.append(Change(definition.name, False, now, cause, ids))
        return self.set(state, False)

    def _expired(self, now: int) -> bool:
        return self.definition.expires is not None and now >= self.definition.expires

    def _cause(self, state: State, now: int) -> str:
        return (
            "event"
            if now == state.started_at or any(self.mentions.concerns(view) for view in state.instant)
            else "time"
        )

    def _next_due(self, cell: list[Any], truth: bool, now: int) -> int | None:
        definition = self.definition
        if cell[0] is not None:
            ends = (
                definition.expires,
                None if definition.max_membership is None else cell[0] + definition.max_membership,
            )
            return min((end for end in ends if end is not None), default=None)
        if truth and not cell[2] and cell[1] is not None and definition.reentry_after is not None:
            due: int = cell[1] + definition.reentry_after
            return due if due > now else None
        return None

    def witness(self, state: State, now: int) -> Witness:
        """The events that made the present membership true, as far as they are named."""
        cell = state.cells.get(self.id)
        return set(cell[3]) if cell else set()

    def fork(self, cell: Any) -> Any:
        return cell.copy()

    def pack(self, cell: Any) -> Any:
        return cell

    def unpack(self, packed: Any) -> Any:
        entered_at, left_at, spent, message_ids = packed
        return [entered_at, left_at, spent, tuple((timestamp, message_id) for timestamp, message_id in message_ids)]
