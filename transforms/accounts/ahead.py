"""When an account will leave its segments if nothing else happens: by its own timers, and by those of its users. Pure.

Of what time brings to its users only those instants matter at which ANY or ALL of some rule becomes true or false. An
account of a hundred thousand users has as many answers before it, and steps a few times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from transforms.accounts.told import shift_event
from transforms.segments.engine import step
from transforms.segments.nodes.quantifier import QuantifierNode, Users
from transforms.segments.nodes.state import MEMBER, State
from transforms.segments.program import Program
from transforms.segments.replay import MAX_STEPS_AHEAD, MembershipInterval, note_ends

Turn = tuple[int, str, int]
"""(instant, name of a rule, 1 where it begins to hold for a user and -1 where it ceases to)."""
Crossing = tuple[int, dict[str, int]]
"""(instant, for how many users more each rule holds than at the crossing before)."""


def crossings(program: Program, state: State, turns: Iterable[Turn]) -> Iterator[Crossing]:
    """The instants at which ANY or ALL of a rule changes. `turns`: in order, after the instant of the state."""
    counts = {rule: counts_of(program, state, rule) for kind, rule in program.routes if kind == MEMBER}
    shifts = dict.fromkeys(counts, 0)
    for at, group in groupby(turns, key=itemgetter(0)):
        before: dict[str, int] = {}
        for _, rule, by in group:
            before.setdefault(rule, counts[rule][0] + shifts[rule])
            shifts[rule] += by
        crossed = {}
        for rule, was in before.items():
            now, total = counts[rule][0] + shifts[rule], counts[rule][1]
            if (was > 0, was == total) != (now > 0, now == total):
                crossed[rule] = shifts[rule]
                counts[rule], shifts[rule] = (now, total), 0
        if crossed:
            yield at, crossed


def counts_of(program: Program, state: State, rule: str) -> tuple[int, int]:
    """For how many users the rule holds, and of how many."""
    users = (state.cells.get(node.id) for node, _ in program.route(MEMBER, rule))
    known: Users | None = next((cell for cell in users if cell is not None), None)
    return (0, 0) if known is None else (known.holding, len(known))


def with_expiry(
    program: Program, state: State, intervals: Sequence[MembershipInterval], coming: Iterable[Crossing]
) -> list[MembershipInterval]:
    """As `replay.with_expiry`; an account's membership can also end by what time does to a user."""
    intervals = list(intervals)
    waiting = {interval.segment: place for place, interval in enumerate(intervals) if interval.exited_at is None}
    relevant = {node for segment in waiting for node in program.reads[segment]}
    crossed = iter(coming) if any(isinstance(program.nodes[node], QuantifierNode) for node in relevant) else iter(())
    following = next(crossed, None) if waiting else None
    seen = len(state.changes)
    for _ in range(MAX_STEPS_AHEAD):
        while (due := state.next_due()) is not None and state.heap[0][1] not in relevant:
            state.wake(state.heap[0][1], None)
        instants = [at for at in (due, following and following[0]) if at is not None]
        if not waiting or not instants:
            break
        now = min(instants)
        shifts: dict[str, int] = {}
        if following is not None and following[0] == now:
            shifts, following = following[1], next(crossed, None)
        step(program, state, now, [shift_event(rule, now, by) for rule, by in shifts.items()])
        note_ends(state.changes[seen:], waiting, intervals)
        seen = len(state.changes)
    return intervals
