"""What the nodes say is ahead of a stay is what letting time pass comes to, at every instant of generated histories."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import pytest

from schemas.event import TIMESTAMP
from tests.laws.agreement import describe
from tests.strategies.cases import Case, case
from tests.strategies.choices import seeded
from transforms.segments.ahead import look_ahead
from transforms.segments.comparisons import NEVER
from transforms.segments.compiler import compile_program
from transforms.segments.nodes.state import State
from transforms.segments.program import Program
from transforms.segments.replay import MembershipInterval, intervals_of, run, with_expiry

CASES = int(os.environ.get("TIDEMARK_CASES", "400"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "20000"))
PARTS = 4


def moments(found: Case, program: Program) -> Iterator[tuple[State, int, list[MembershipInterval]]]:
    """The state after each instant of the history, and at some between them, with the stays that last then."""
    state = State(found.profile_id)
    events = [event for event in found.events if event[TIMESTAMP] <= found.as_of]
    instants = [(now, tuple(group)) for now, group in groupby(events, key=itemgetter(TIMESTAMP))]
    following = [now for now, _ in instants[1:]] + [found.as_of]
    for (now, group), later in zip(instants, following, strict=True):
        for at, told in ((now, group), ((now + later) // 2, ()), (max(now, later - 1), ())):
            run(program, state, told, at)
            stays = [stay for stay in intervals_of(state.changes) if stay.exited_at is None]
            yield state, at, stays


def check(seeds: range) -> tuple[int, int]:
    """How many stays were asked about, and of how many the nodes could tell."""
    asked = told = 0
    for seed in seeds:
        found = case(seeded(seed))
        program = compile_program(found.definitions)
        for state, now, stays in moments(found, program):
            before = program.fork(state)
            got = look_ahead(program, state, now, stays)
            expected = with_expiry(program, before, list(stays))
            assert ends(got) == ends(expected), f"seed {seed} at {now}\n{describe(found)}"
            asked += len(stays)
            told += sum(program.segment(stay.segment).exit_ahead(state, now) is not None for stay in stays)
    return asked, told


def ends(stays: list[MembershipInterval]) -> list[tuple[str, int | None]]:
    return sorted((stay.segment, stay.expires_at) for stay in stays)


@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_ahead_is_what_time_brings(part: int) -> None:
    asked, told = check(range(part * CASES // PARTS, (part + 1) * CASES // PARTS))
    assert asked > CASES // 4
    assert told > asked // 3, "most generated rules are stranger than those of a shop, but not all"


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_ahead_is_what_time_brings_in_thousands_of_cases(part: int) -> None:
    check(range(part * LONG_CASES // PARTS, (part + 1) * LONG_CASES // PARTS))


def test_asking_changes_nothing() -> None:
    for seed in range(60):
        found = case(seeded(seed))
        program = compile_program(found.definitions)
        for state, now, stays in moments(found, program):
            before = program.fork(state)
            for stay in stays:
                exit_at = program.segment(stay.segment).exit_ahead(state, now)
                assert exit_at is None or now < exit_at <= NEVER
            assert (state.values, state.due) == (before.values, before.due)
            run(program, state, (), now)
            assert state.values == before.values
