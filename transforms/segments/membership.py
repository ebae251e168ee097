"""From a rule's truth to membership: expiry, longest stay, pause before the next entry.

The timer stands at the next instant at which one of the options acts.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any

from transforms.segments.accumulators.accumulator import WITNESSES
from transforms.segments.comparisons import NEVER
from transforms.segments.language import ast
from transforms.segments.mentions import Mentions
from transforms.segments.nodes.node import NOTHING_AHEAD, Ahead, Node, Witness
from transforms.segments.nodes.state import Change, State


@dataclass(slots=True)
class Stay:
    """The node's cell: the stay that lasts, if one does, and what the last one left behind.

    `spent`: it ended by `max_membership` without a `reentry_after`, and the rule has not been false since.
    `witness`: the events that made the present stay true, as (timestamp, id), as far as they are named.
    """

    entered_at: int | None = None
    left_at: int | None = None
    spent: bool = False
    witness: tuple[tuple[int, str], ...] = ()


class SegmentNode(Node):
    """One segment: true while the profile is a member. Every change is said in `state.changes`.

    `leaves` are the nodes that the rule reads; `starts_true`: a profile without any event of the rule's may be a
    member.
    """

    default = False

    def __init__(
        self,
        definition: ast.SegmentDefinition,
        holds: Callable[[Any], bool],
        leaves: Sequence[Node],
        explain: Callable[[State, int], Witness],
        mentions: Mentions,
        *,
        starts_true: bool,
    ) -> None:
        super().__init__()
        self.definition = definition
        self.holds = holds
        self.leaves = tuple(dict.fromkeys(leaves))
        self.explain = explain
        self.mentions = mentions
        self.starts_true = starts_true

    def update(self, state: State, now: int) -> bool:
        definition = self.definition
        cell: Stay | None = state.cells.get(self.id)
        truth = self.holds(state.values.get) and (definition.anonymous or state.profile_id.startswith("user:"))
        if definition.members is not None:
            truth = state.profile_id.removeprefix("user:") in definition.members and state.profile_id.startswith(
                "user:"
            )
        if cell is None:
            if not truth:
                return False
            cell = state.cells[self.id] = Stay()
        is_member = cell.entered_at is not None
        changed = self._leave(state, cell, truth, now) if is_member else self._enter(state, cell, truth, now)
        state.wake(self.id, self._next_due(cell, truth, now))
        return changed

    def _enter(self, state: State, stay: Stay, truth: bool, now: int) -> bool:
        if not truth:
            stay.spent = False
            return False
        if stay.spent or self._pauses(stay, now) or self._expired(now):
            return False
        stay.entered_at = now
        stay.witness = tuple(sorted(self.explain(state, now))[:WITNESSES])
        times = tuple(at for at, _ in stay.witness)
        ids = tuple(message_id for _, message_id in stay.witness)
        state.changes.append(Change(self.definition.name, True, now, self._cause(state, now), ids, times))
        return self.set(state, True)

    def _pauses(self, stay: Stay, now: int) -> bool:
        pause = self.definition.reentry_after
        return stay.left_at is not None and pause is not None and now < stay.left_at + pause

    def _leave(self, state: State, stay: Stay, truth: bool, now: int) -> bool:
        definition = self.definition
        ends = self._longest(stay)
        over = ends is not None and now >= ends
        if truth and not over and not self._expired(now):
            return False
        stay.spent = over and truth and definition.reentry_after is None
        stay.entered_at, stay.left_at, stay.witness = None, now, ()
        cause = self._cause(state, now)
        if cause == "time" and self._expired(now):
            cause = "segment_expired"
        ids = tuple(sorted(self._mentioned(state)))[:WITNESSES]
        state.changes.append(Change(definition.name, False, now, cause, ids))
        return self.set(state, False)

    def _longest(self, stay: Stay) -> int | None:
        """When `max_membership` ends the stay."""
        limit = self.definition.max_membership
        return None if limit is None or stay.entered_at is None else stay.entered_at + limit

    def _expired(self, now: int) -> bool:
        return self.definition.expires is not None and now >= self.definition.expires

    def _cause(self, state: State, now: int) -> str:
        return "event" if now == state.started_at or self._mentioned(state) else "time"

    def _mentioned(self, state: State) -> set[str]:
        """The events of this instant that the rule mentions."""
        return {message_id for view in state.instant for message_id in self.mentions.ids(view)}

    def exit_ahead(self, state: State, now: int) -> int | None:
        """When the stay that lasts will end if no event comes: NEVER, or None where only letting time pass can tell."""
        end = self._ends(state.cells[self.id])
        turns = []
        for leaf in self.leaves:
            found = leaf.ahead(state, now)
            if found is None:
                return None
            if found != NOTHING_AHEAD:
                turns.append(_told_by(leaf.id, found))
        if not turns:
            return end
        values = dict(state.values)
        at: int
        for at, changes in groupby(heapq.merge(*turns, key=itemgetter(0)), key=itemgetter(0)):
            if at >= end:
                break
            values.update((number, value) for _, number, value in changes)
            if not self.holds(values.get):
                return at
        return end

    def _ends(self, stay: Stay) -> int:
        """When the options end the stay."""
        expires, longest = self.definition.expires, self._longest(stay)
        return min(NEVER if expires is None else expires, NEVER if longest is None else longest)

    def _next_due(self, stay: Stay, truth: bool, now: int) -> int | None:
        if stay.entered_at is not None:
            end = self._ends(stay)
            return None if end == NEVER else end
        pause = self.definition.reentry_after
        if truth and not stay.spent and stay.left_at is not None and pause is not None:
            due = stay.left_at + pause
            return due if due > now else None
        return None

    def witness(self, state: State, now: int) -> Witness:
        """The events that made the present membership true, as far as they are named."""
        stay: Stay | None = state.cells.get(self.id)
        return set(stay.witness) if stay else set()

    def fork(self, cell: Stay) -> Stay:
        return replace(cell)

    def pack(self, cell: Stay) -> Any:
        return [cell.entered_at, cell.left_at, cell.spent, cell.witness]

    def unpack(self, packed: Any) -> Stay:
        entered_at, left_at, spent, witness = packed
        return Stay(entered_at, left_at, spent, tuple((timestamp, message_id) for timestamp, message_id in witness))


def _told_by(number: int, found: Ahead) -> Iterator[tuple[int, int, Any]]:
    for at, value in found:
        yield at, number, value
