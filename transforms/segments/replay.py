"""One profile's whole history through the step function: for stories and accounts, and to judge the columns by."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any

from schemas.event import TIMESTAMP
from schemas.instants import instant_text
from transforms.segments.engine import advance, step
from transforms.segments.nodes.state import Change, EventTuple, State, TraitWrite
from transforms.segments.program import Program

MAX_STEPS_AHEAD = 100_000
"""How far the search for `expires_at` goes; every kept event can make a step or two."""


@dataclass(frozen=True, slots=True)
class MembershipInterval:
    """One stay in a segment, [entered_at, exited_at). Instants in microseconds; causes as in `membership_changes`.

    `times`: when each of `message_ids` was, as far as somebody asks.
    """

    segment: str
    entered_at: int
    exited_at: int | None
    expires_at: int | None
    message_ids: tuple[str, ...]
    exit_message_ids: tuple[str, ...]
    enter_cause: str
    exit_cause: str | None
    times: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a profile's history comes to at `as_of`. `traits` are those that are set, `writes` every last write."""

    memberships: list[MembershipInterval]
    computed: dict[str, Any]
    traits: dict[str, Any]
    writes: dict[str, TraitWrite]


def replay(program: Program, profile_id: str, events: Sequence[EventTuple], as_of: int) -> ReplayResult:
    """Steps through a profile's events, in order of timestamp and message id; those after `as_of` do not exist."""
    state = State(profile_id)
    run(program, state, events[: bisect_right(events, as_of, key=itemgetter(TIMESTAMP))], as_of)
    computed = computed_traits(program, state, as_of)
    intervals = list(intervals_of(state.changes))
    return ReplayResult(with_expiry(program, state, intervals), computed, state.traits, state.writes)


def run(program: Program, state: State, events: Sequence[EventTuple], as_of: int) -> None:
    """Steps through the events, and on to `as_of`. Events that no rule reads are passed over, but for the first."""
    concerned = program.concerned(events, state.read_from)
    if state.started_at is None and events and (not concerned or concerned[0] is not events[0]):
        concerned.insert(0, events[0])
    heap = state.heap
    for now, group in groupby(concerned, key=itemgetter(TIMESTAMP)):
        if heap and heap[0][0] < now:
            advance(program, state, now - 1)
        step(program, state, now, tuple(group))
    advance(program, state, as_of)


def computed_traits(program: Program, state: State, now: int, names: Collection[str] | None = None) -> dict[str, Any]:
    """Computed traits at `now`, as JSON values; instants as ISO 8601 text.

    Args:
        program: with the traits.
        state: the profile's.
        now: not before any earlier call's.
        names: those that are asked for, which will be asked for again as time goes on; None: all, once.
    """
    found = {}
    for name, (node, is_instant) in program.computed.items():
        if names is None or name in names:
            value = node.read(state, now, again=names is not None)
            found[name] = instant_text(value) if is_instant and value is not None else value
    return found


def intervals_of(changes: Sequence[Change]) -> Iterator[MembershipInterval]:
    """Pairs entries with exits; in order of entry."""
    order: list[MembershipInterval] = []
    opened: dict[str, int] = {}
    for change in changes:
        if change.entered:
            opened[change.segment] = len(order)
            order.append(
                MembershipInterval(change.segment, change.at, None, None, change.message_ids, (), change.cause, None)
            )
        else:
            place = opened.pop(change.segment)
            order[place] = replace(
                order[place], exited_at=change.at, exit_message_ids=change.message_ids, exit_cause=change.cause
            )
    return iter(order)


def with_expiry(program: Program, state: State, intervals: list[MembershipInterval]) -> list[MembershipInterval]:
    """Fills `expires_at` of the open intervals: lets time pass, without events, until each has ended or nothing is due.

    Only timers that an open membership depends on count. Two segments that leave and enter again for ever
    (`max_membership` with `reentry_after`) can keep a third one waiting for ever: after MAX_STEPS_AHEAD steps it is
    taken to have no end. The state is used up by it.
    """
    waiting = {interval.segment: place for place, interval in enumerate(intervals) if interval.exited_at is None}
    relevant = {node for segment in waiting for node in program.reads[segment]}
    seen, steps = len(state.changes), 0
    while waiting and steps < MAX_STEPS_AHEAD and (due := state.next_due()) is not None:
        if state.heap[0][1] not in relevant:
            state.wake(state.heap[0][1], None)
            continue
        step(program, state, due, ())
        steps += 1
        note_ends(state.changes[seen:], waiting, intervals)
        seen = len(state.changes)
    return intervals


def note_ends(changes: Sequence[Change], waiting: dict[str, int], intervals: list[MembershipInterval]) -> None:
    """Exits to come become `expires_at` of what lasts: of the intervals at the places by segment in `waiting`."""
    for change in changes:
        if not change.entered and change.segment in waiting:
            place = waiting.pop(change.segment)
            intervals[place] = replace(intervals[place], expires_at=change.at)
