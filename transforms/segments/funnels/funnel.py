"""Streams whose `where` also depends on other events, traits or T: funnels.

Every event of the stream (a *parent*) is kept while it is young enough to count, with the answer of its condition and
until when that answer stands. An event that a nested stream takes (a *child*) is kept in that stream's store; it makes
only those parents be asked again that it can concern: in its time range, and with the same value where the two are
joined by `property(x) = property(parent: y)`. On a day with 4,400 views and 40 orders of one visitor that is some 40
questions in place of 176,000.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from transforms.segments.accumulators.accumulator import Entry
from transforms.segments.comparisons import NEVER
from transforms.segments.funnels.cells import Candidate, FunnelCell, Parent, join_keys, pop_first
from transforms.segments.language import ast
from transforms.segments.nodes.node import Node, Witness
from transforms.segments.nodes.state import EventView, State
from transforms.segments.reducers import accumulator, default_value


class Scope:
    """Where a condition is asked: at T, of `event`, inside `parent`. `until` gathers how long the answer stands."""

    __slots__ = ("cell", "event", "now", "parent", "state", "until")

    def __init__(self, state: State, cell: FunnelCell, now: int) -> None:
        self.state = state
        self.cell = cell
        self.now = now
        self.until = NEVER
        self.event: Candidate = (0, "", ())
        self.parent: Candidate = (0, "", ())

    def enter(self, event: Candidate) -> Candidate:
        """Makes `event` the one that is asked about; returns the former parent, for `leave`."""
        former, self.parent, self.event = self.parent, self.event, event
        return former

    def leave(self, former: Candidate) -> None:
        """Goes back to asking about the parent."""
        self.event, self.parent = self.parent, former


@dataclass(slots=True)
class Plan:
    """How one stream inside a funnel is kept and asked. Durations are microseconds."""

    stream: ast.Stream
    start: int
    end: int
    keep: Callable[[EventView], bool] | None = None
    condition: Callable[[Scope], bool] | None = None
    explain: Callable[[Scope], Witness] | None = None
    readers: list[Callable[[EventView], Any]] = field(default_factory=list)
    slots: dict[str, int] = field(default_factory=dict)
    store: int = -1
    depth: int = 0
    nearest: int = -NEVER
    farthest: int = NEVER
    excludes_parent: bool = False
    join: tuple[int, int] | None = None
    retained: int = NEVER

    def candidate(self, view: EventView) -> Candidate | None:
        if self.keep is not None and not self.keep(view):
            return None
        return view.timestamp, view.message_id, tuple(read(view) for read in self.readers)


def _candidates(plan: Plan, scope: Scope) -> Iterable[Candidate]:
    """The children of `plan` that can concern the scope's event (their parent), in order."""
    store = scope.cell.stores[plan.store]
    parent = scope.event
    found: Collection[Candidate]
    if plan.join is None:
        found = store.entries
    else:
        lists = [store.by_key[key] for key in join_keys(parent[2][plan.join[1]]) if key in store.by_key]
        found = (
            lists[0]
            if len(lists) == 1
            else sorted({c[:2]: c for entries in lists for c in entries}.values(), key=_order)
        )
    if plan.nearest == -NEVER or not found:
        return found
    entries = list(found)
    earliest = bisect_left(entries, parent[0] + plan.nearest, key=_timestamp)
    return entries[earliest : bisect_left(entries, parent[0] + plan.farthest, key=_timestamp)]


_timestamp = itemgetter(0)
_order = itemgetter(0, 1)


def matching(plan: Plan, scope: Scope) -> list[Candidate]:
    """The children that count for the scope's event at T."""
    matched: list[Candidate] = []
    parent_id = scope.event[1]
    for child in _candidates(plan, scope):
        age = scope.now - child[0]
        if age < plan.start:
            scope.until = min(scope.until, child[0] + plan.start)
            continue
        if age >= plan.end or (plan.excludes_parent and child[1] == parent_id):
            continue
        if plan.end != NEVER:
            scope.until = min(scope.until, child[0] + plan.end)
        if plan.condition is not None:
            former = scope.enter(child)
            holds = plan.condition(scope)
            scope.leave(former)
            if not holds:
                continue
        matched.append(child)
    return matched


class FunnelNode(Node):
    """A reduced stream whose events are asked again as time and other events pass.

    `plan` is the stream itself, `plans` its nested streams (each one's `store` is its place), `inputs` the nodes
    outside that conditions read, `slot` where the reducer's operand stands in a candidate (None: it has none).
    """

    def __init__(
        self, reduced: ast.Reduced, plan: Plan, plans: Sequence[Plan], inputs: Sequence[Node], slot: int | None
    ) -> None:
        super().__init__()
        self.reduced = reduced
        self.plan = plan
        self.plans = tuple(plans)
        self.inputs = tuple(inputs)
        self.slot = slot
        self.accumulator = accumulator(reduced, endless=True)
        self.default = default_value(reduced.reducer)
        self.joined = [(nested, nested.join[1]) for nested in plans if nested.join is not None and nested.depth == 1]

    def absorb(self, state: State, view: EventView, role: int) -> bool:
        """Role 0 is the stream itself, role i its nested stream i, from 1."""
        plan = self.plan if role == 0 else self.plans[role - 1]
        candidate = plan.candidate(view)
        if candidate is None or plan.start >= plan.end:
            return False
        cell = state.cells.get(self.id)
        if cell is None:
            cell = state.cells[self.id] = FunnelCell(len(self.plans))
        if role == 0:
            self._add_parent(cell, candidate)
        else:
            self._add_child(cell, plan, candidate)
        if self._must_wake(state, role):
            # `update` runs in this same instant, once all of its events are in.
            state.wake(self.id, candidate[0])
        return False

    def fork(self, cell: Any) -> Any:
        return cell.fork()

    def pack(self, cell: Any) -> Any:
        return cell.pack()

    def unpack(self, packed: Any) -> Any:
        return FunnelCell.unpack(packed, self.plans, self.joined)

    def _must_wake(self, state: State, role: int) -> bool:
        return True

    def _add_parent(self, cell: FunnelCell, candidate: Candidate) -> None:
        parent = Parent(candidate)
        cell.pending.append(parent)
        cell.add_to_index(parent, self.joined)

    def _add_child(self, cell: FunnelCell, plan: Plan, child: Candidate) -> None:
        cell.stores[plan.store].add(plan, child)
        if plan.join is None or plan.depth != 1:
            cell.all_affected = True
            return
        index = cell.index[plan.store]
        for key in join_keys(child[2][plan.join[0]]):
            for parent in index.get(key, ()):
                if plan.nearest <= child[0] - parent.candidate[0] < plan.farthest:
                    cell.affected.append(parent)

    def update(self, state: State, now: int) -> bool:
        cell = state.cells.get(self.id)
        if cell is None:
            return False
        self._drop_parents(cell, now)
        self._activate_parents(cell, now)
        self._ask(state, cell, now)
        self._trim_stores(cell, now)
        state.wake(self.id, self._next_due(cell))
        return self.set(state, self._reduced(cell))

    def _trim_stores(self, cell: FunnelCell, now: int) -> None:
        for plan in self.plans:
            if plan.retained != NEVER:
                cell.stores[plan.store].trim(plan, now)

    def _drop_parents(self, cell: FunnelCell, now: int) -> None:
        if self.plan.end == NEVER:
            return
        while cell.parents and cell.parents[0].candidate[0] + self.plan.end <= now:
            parent = cell.parents.popleft()
            parent.active = False
            cell.count -= parent.holds
            for nested, slot in self.joined:
                pop_first(cell.index[nested.store], join_keys(parent.candidate[2][slot]))

    def _activate_parents(self, cell: FunnelCell, now: int) -> None:
        while cell.pending and cell.pending[0].candidate[0] + self.plan.start <= now:
            parent = cell.pending.popleft()
            parent.active = True
            cell.parents.append(parent)
            cell.affected.append(parent)

    def _ask(self, state: State, cell: FunnelCell, now: int) -> None:
        """Asks the condition again of every parent whose answer may have changed."""
        affected: Iterable[Parent] = cell.affected
        while cell.wakes and cell.wakes[0][0] <= now:
            due, _, parent = heapq.heappop(cell.wakes)
            if parent.until == due:
                cell.affected.append(parent)
        if self._inputs_changed(state, cell):
            affected = cell.parents
        scope = Scope(state, cell, now)
        for parent in affected:
            if parent.active:
                self._ask_one(scope, cell, parent)
        cell.affected = []

    def _inputs_changed(self, state: State, cell: FunnelCell) -> bool:
        """Whether every answer may have changed, since the last call."""
        changed, cell.all_affected = cell.all_affected, False
        if self.inputs:
            seen = tuple((type(value), value) for value in (node.value(state) for node in self.inputs))
            changed = changed or seen != cell.seen
            cell.seen = seen
        return changed

    def _ask_one(self, scope: Scope, cell: FunnelCell, parent: Parent) -> None:
        holds, until = self._answer(scope, parent)
        cell.count += holds - parent.holds
        parent.holds = holds
        if until != parent.until:
            parent.until = until
            if until != NEVER:
                cell.asked += 1
                heapq.heappush(cell.wakes, (until, cell.asked, parent))

    def _answer(self, scope: Scope, parent: Parent) -> tuple[bool, int]:
        """Whether the condition holds for a parent, and until when that stands."""
        scope.until, scope.event = NEVER, parent.candidate
        holds = self.plan.condition is None or self.plan.condition(scope)
        return holds, scope.until

    def _next_due(self, cell: FunnelCell) -> int | None:
        due = [cell.pending[0].candidate[0] + self.plan.start] if cell.pending else []
        if cell.parents and self.plan.end != NEVER:
            due.append(cell.parents[0].candidate[0] + self.plan.end)
        if cell.wakes:
            due.append(cell.wakes[0][0])
        return min(due, default=None)

    def _entries(self, cell: FunnelCell) -> list[Entry]:
        """What counts at present, as the reducer takes it."""
        holding = (parent.candidate for parent in cell.parents if parent.holds)
        if self.slot is None:
            return [(timestamp, message_id, ()) for timestamp, message_id, _ in holding]
        return [(c[0], c[1], c[2][self.slot]) for c in holding if c[2][self.slot] is not None]

    def _reduced(self, cell: FunnelCell) -> Any:
        return cell.count if self.reduced.reducer == "count" else self.accumulator.reduce(self._entries(cell))

    def witness(self, state: State, now: int) -> Witness:
        cell = state.cells.get(self.id)
        if cell is None:
            return set()
        chosen = {entry[1] for entry in self.accumulator.deciding(self._entries(cell))}
        scope = Scope(state, cell, now)
        found: Witness = set()
        for parent in cell.parents:
            if parent.holds and parent.candidate[1] in chosen:
                scope.event = parent.candidate
                found.add(parent.candidate[:2])
                if self.plan.explain is not None:
                    found |= self.plan.explain(scope)
        return found
