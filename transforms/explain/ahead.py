"""What time alone will bring, if nothing else happens."""

from __future__ import annotations

from collections.abc import Iterable

from transforms.accounts.ahead import Crossing
from transforms.accounts.told import shift_event
from transforms.segments.engine import step
from transforms.segments.nodes.state import Change, State
from transforms.segments.program import Program

MOST_STEPS = 10_000
"""Segments that leave and enter again for ever would otherwise keep the search for others going."""


def next_changes(
    program: Program, state: State, segments: Iterable[str], crossings: Iterable[Crossing] = ()
) -> dict[str, Change]:
    """The next change of each segment without another event; those that nothing will change are left out.

    The state, brought to the instant from which to look, is used up. `crossings`: what time will do to the users of an
    account, where it is one.
    """
    crossed = iter(crossings)
    following = next(crossed, None)
    waiting = set(segments)
    relevant = frozenset[int]().union(*(program.reads[segment] for segment in waiting))
    found: dict[str, Change] = {}
    seen, steps = len(state.changes), 0
    while waiting and steps < MOST_STEPS:
        while (due := state.next_due()) is not None and state.heap[0][1] not in relevant:
            state.wake(state.heap[0][1], None)
        instants = [at for at in (due, following and following[0]) if at is not None]
        if not instants:
            break
        now, shifts = min(instants), dict[str, int]()
        if following is not None and following[0] == now:
            shifts, following = following[1], next(crossed, None)
        step(program, state, now, [shift_event(rule, now, by) for rule, by in shifts.items()])
        steps += 1
        for change in state.changes[seen:]:
            if change.segment in waiting:
                waiting.remove(change.segment)
                found[change.segment] = change
        seen = len(state.changes)
    return found
