"""`count() >= least` of a funnel: asks no more parents than it must.

While enough parents hold, the others need not be asked: new ones wait until one of those that decide expires or a child
concerns it, and the newest are asked first, since they hold longest. A shopper with 4,400 views a day then costs an
append per view; asking each parent when it comes and again when it goes took 20 us per view.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import chain

from transforms.segments.accumulators.accumulator import WITNESSES
from transforms.segments.comparisons import NEVER
from transforms.segments.funnels.cells import FunnelCell, Parent
from transforms.segments.funnels.funnel import FunnelNode, Scope
from transforms.segments.nodes.node import NOTHING_AHEAD, Ahead, Witness
from transforms.segments.nodes.state import State


class FunnelThresholdNode(FunnelNode):
    """True while at least `least` parents hold."""

    least = 1

    def at_least(self, least: int) -> FunnelThresholdNode:
        """Sets the threshold; returns the node."""
        self.least = least
        self.default = False
        # Where no child is older than its parent, the earliest events of a witness are those of the earliest parents.
        self.children_follow = all(plan.nearest >= 0 for plan in self.plans)
        return self

    def _must_wake(self, state: State, role: int) -> bool:
        return role != 0 or not self.value(state)

    def update(self, state: State, now: int) -> bool:
        cell = state.cells.get(self.id)
        if cell is None:
            return False
        self._activate_parents(cell, now)
        self._drop_parents(cell, now)
        self._forget_answers(state, cell, now)
        scope = Scope(state, cell, now)
        while cell.count < self.least and cell.unasked:
            parent = cell.unasked.pop()
            if parent.active and not parent.asked:
                parent.asked = True
                self._ask_one(scope, cell, parent)
                if parent.holds:
                    cell.holding[parent.candidate[:2]] = parent
        self._trim_stores(cell, now)
        holds = cell.count >= self.least
        state.wake(self.id, self._next_change(cell, holds))
        return self.set(state, holds)

    def _activate_parents(self, cell: FunnelCell, now: int) -> None:
        while cell.pending and cell.pending[0].candidate[0] + self.plan.start <= now:
            parent = cell.pending.popleft()
            parent.active = True
            cell.parents.append(parent)
            cell.unasked.append(parent)

    def _drop_parents(self, cell: FunnelCell, now: int) -> None:
        super()._drop_parents(cell, now)
        while cell.unasked and not cell.unasked[0].active:
            cell.unasked.popleft()
        if self.plan.end != NEVER:
            for key in [key for key, parent in cell.holding.items() if not parent.active]:
                del cell.holding[key]

    def _forget_answers(self, state: State, cell: FunnelCell, now: int) -> None:
        """Takes back the answers that may have changed."""
        while cell.wakes and cell.wakes[0][0] <= now:
            due, _, parent = heapq.heappop(cell.wakes)
            if parent.until == due:
                cell.affected.append(parent)
        affected = cell.parents if self._inputs_changed(state, cell) else cell.affected
        for parent in affected:
            # One that has left the window was taken out of the count when it did.
            if parent.asked and parent.active:
                parent.asked = False
                cell.count -= parent.holds
                parent.holds = False
                parent.until = NEVER
                cell.holding.pop(parent.candidate[:2], None)
                cell.unasked.append(parent)
        cell.affected = []

    def _next_change(self, cell: FunnelCell, holds: bool) -> int | None:
        due = [cell.wakes[0][0]] if cell.wakes else []
        if not holds:
            if cell.pending:
                due.append(cell.pending[0].candidate[0] + self.plan.start)
        elif self.plan.end != NEVER:
            decisive = sorted(timestamp for timestamp, _ in cell.holding)[cell.count - self.least]
            due.append(decisive + self.plan.end)
        return min(due, default=None)

    def witness(self, state: State, now: int) -> Witness:
        cell = state.cells.get(self.id)
        found: Witness = set()
        if cell is None or not self.value(state):
            return found
        scope = Scope(state, cell, now)
        named = 0
        for parent in self._present(cell, now):
            scope.event = parent.candidate
            if self.plan.condition is None or self.plan.condition(scope):
                found.add(parent.candidate[:2])
                if self.plan.explain is not None:
                    found |= self.plan.explain(scope)
                named += 1
                if named == WITNESSES and self.children_follow:
                    break
        return found

    def ahead(self, state: State, now: int) -> Ahead | None:
        if any(node.ahead(state, now) != NOTHING_AHEAD for node in self.inputs):
            return None
        cell, end = state.cells.get(self.id), self.plan.end
        if cell is None or (self.id not in state.due and not cell.pending):
            return NOTHING_AHEAD
        if self.plan.start or end == NEVER or cell.affected or cell.all_affected or not self.value(state):
            return None
        scope, holding = Scope(state, cell, now), 0
        for parent in chain(reversed(cell.pending), reversed(cell.parents)):
            holds, until = (parent.holds, parent.until) if parent.asked else self._answer(scope, parent)
            at = parent.candidate[0] + end
            if until < at:
                return None
            holding += holds
            if holding == self.least:
                # Those that are older have left by then, and the answers of the younger ones stand.
                return ((at, False),)
        return None

    def _present(self, cell: FunnelCell, now: int) -> Iterator[Parent]:
        for parent in chain(cell.parents, cell.pending):
            if self.plan.start <= now - parent.candidate[0] < self.plan.end:
                yield parent
