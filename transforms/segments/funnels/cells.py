"""What a funnel keeps of one profile: parents with their answers, children by stream, and all of it as bytes.

Packed, a cell is its parents in order (those that count, then those that do not yet), with the places of the others'
lists in it; what can be found again (the indexes by joined value) is not packed.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Protocol

from transforms.segments.comparisons import NEVER
from transforms.segments.nodes.packing import Many, pack_slot
from transforms.segments.values import json_key

Candidate = tuple[int, str, tuple[Any, ...]]
"""A kept event: timestamp, message id, and the values that conditions read (by slot)."""


class Kept(Protocol):
    """What a stream inside a funnel asks of its store.

    Attributes:
        store: which of the cell's stores is its.
        join: the readers (of the child, of the parent) whose values must be equal; None: no such condition.
        retained: how long a child is kept, microseconds.
    """

    store: int
    join: tuple[int, int] | None
    retained: int


class Parent:
    """A kept parent, the answer of its condition, and until when the answer stands."""

    __slots__ = ("active", "asked", "candidate", "holds", "until")

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.active = False
        self.asked = False
        self.holds = False
        self.until = NEVER

    def fork(self) -> Parent:
        copy = Parent(self.candidate)
        copy.active, copy.asked, copy.holds, copy.until = self.active, self.asked, self.holds, self.until
        return copy

    def pack(self) -> list[Any]:
        until = None if self.until == NEVER else self.until
        return [_pack_candidate(self.candidate), self.asked, self.holds, until]

    @classmethod
    def unpack(cls, packed: Sequence[Any], *, active: bool) -> Parent:
        candidate, asked, holds, until = packed
        parent = cls(_unpack_candidate(candidate))
        parent.active, parent.asked, parent.holds = active, asked, holds
        parent.until = NEVER if until is None else until
        return parent


def _pack_candidate(candidate: Candidate) -> list[Any]:
    return [candidate[0], candidate[1], [pack_slot(value) for value in candidate[2]]]


def _unpack_candidate(packed: Sequence[Any]) -> Candidate:
    timestamp, message_id, values = packed
    return timestamp, message_id, tuple(values)


class Store:
    """The kept children of one nested stream: all of them in order and, where there is a join, by its value."""

    __slots__ = ("by_key", "entries")

    def __init__(self) -> None:
        self.entries: deque[Candidate] = deque()
        self.by_key: dict[Any, deque[Candidate]] = {}

    def add(self, plan: Kept, candidate: Candidate) -> None:
        self.entries.append(candidate)
        if plan.join is not None:
            for key in join_keys(candidate[2][plan.join[0]]):
                self.by_key.setdefault(key, deque()).append(candidate)

    def trim(self, plan: Kept, now: int) -> None:
        """Drops the children that no parent can concern any more."""
        while self.entries and self.entries[0][0] + plan.retained <= now:
            candidate = self.entries.popleft()
            if plan.join is not None:
                pop_first(self.by_key, join_keys(candidate[2][plan.join[0]]))

    def fork(self) -> Store:
        copy = Store()
        copy.entries = self.entries.copy()
        copy.by_key = {key: entries.copy() for key, entries in self.by_key.items()}
        return copy


def pop_first(index: dict[Any, deque[Any]], keys: Iterable[Any]) -> None:
    """Takes the oldest item out of the lists under `keys`: what is dropped is dropped in order of arrival."""
    for key in keys:
        index[key].popleft()
        if not index[key]:
            del index[key]


class FunnelCell:
    """What a funnel keeps of one profile."""

    __slots__ = (
        "affected",
        "all_affected",
        "asked",
        "count",
        "holding",
        "index",
        "parents",
        "pending",
        "seen",
        "stores",
        "unasked",
        "wakes",
    )

    def __init__(self, plans: int) -> None:
        self.pending: deque[Parent] = deque()
        self.parents: deque[Parent] = deque()
        self.unasked: deque[Parent] = deque()
        self.holding: dict[tuple[int, str], Parent] = {}
        self.stores = [Store() for _ in range(plans)]
        self.index: list[dict[Any, deque[Parent]]] = [{} for _ in range(plans)]
        self.count = 0
        self.asked = 0
        self.affected: list[Parent] = []
        self.all_affected = False
        self.seen: tuple[Any, ...] = ()
        self.wakes: list[tuple[int, int, Parent]] = []

    def fork(self) -> FunnelCell:
        """A copy with parents of its own, since their answers change; candidates are shared."""
        copies: dict[Parent, Parent] = {}

        def of(parents: Iterable[Parent]) -> list[Parent]:
            for parent in parents:
                if parent not in copies:
                    copies[parent] = parent.fork()
            return [copies[parent] for parent in parents]

        copy = FunnelCell(0)
        copy.pending, copy.parents = deque(of(self.pending)), deque(of(self.parents))
        copy.unasked, copy.affected = deque(of(self.unasked)), of(self.affected)
        copy.holding = dict(zip(self.holding, of(self.holding.values()), strict=True))
        copy.stores = [store.fork() for store in self.stores]
        copy.index = [{key: deque(of(parents)) for key, parents in index.items()} for index in self.index]
        copy.count, copy.asked, copy.seen, copy.all_affected = self.count, self.asked, self.seen, self.all_affected
        asked = of([parent for _, _, parent in self.wakes])
        copy.wakes = [(due, number, parent) for (due, number, _), parent in zip(self.wakes, asked, strict=True)]
        return copy

    def pack(self) -> list[Any]:
        """Plain values. Parents that have gone but are still in a list somewhere are left out: nobody asks them."""
        parents = [*self.parents, *self.pending]
        places = {parent: place for place, parent in enumerate(parents)}

        def of(listed: Iterable[Parent]) -> list[int]:
            return [places[parent] for parent in listed if parent in places]

        wakes = [
            (due, number, places[parent])
            for due, number, parent in self.wakes
            if parent in places and parent.until == due
        ]
        return [
            *(len(self.parents), [parent.pack() for parent in parents]),
            *(of(self.unasked), of(self.holding.values()), of(self.affected), wakes),
            [[_pack_candidate(child) for child in store.entries] for store in self.stores],
            *(self.count, self.asked, self.all_affected, [value for _, value in self.seen]),
        ]

    @classmethod
    def unpack(cls, packed: Sequence[Any], plans: Sequence[Kept], joined: Sequence[tuple[Kept, int]]) -> FunnelCell:
        """What `pack` gave; `plans` are those of the nested streams, `joined` those with a join, with its slot."""
        active, packed_parents, unasked, holding, affected, wakes, stores, *rest = packed
        cell = cls(len(plans))
        parents = [Parent.unpack(one, active=place < active) for place, one in enumerate(packed_parents)]
        cell.parents, cell.pending = deque(parents[:active]), deque(parents[active:])
        cell.unasked = deque(parents[place] for place in unasked)
        cell.holding = {parents[place].candidate[:2]: parents[place] for place in holding}
        cell.affected = [parents[place] for place in affected]
        cell.wakes = [(due, number, parents[place]) for due, number, place in wakes]
        heapq.heapify(cell.wakes)
        for plan, children in zip(plans, stores, strict=True):
            for child in children:
                cell.stores[plan.store].add(plan, _unpack_candidate(child))
        for parent in chain(cell.parents, cell.pending):
            cell.add_to_index(parent, joined)
        cell.count, cell.asked, cell.all_affected, seen = rest
        cell.seen = tuple((type(value), value) for value in seen)
        return cell

    def add_to_index(self, parent: Parent, joined: Sequence[tuple[Kept, int]]) -> None:
        """Notes a parent under the values that children will be joined by."""
        for nested, slot in joined:
            for key in join_keys(parent.candidate[2][slot]):
                self.index[nested.store].setdefault(key, deque()).append(parent)


def join_keys(value: Any) -> Iterable[Any]:
    """The distinct keys under which a joined value (or the values of a path with `$`) is found."""
    if type(value) is Many:
        return dict.fromkeys(json_key(item) for item in value)
    return () if value is None else (json_key(value),)
