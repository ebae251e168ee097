"""A profile's state packed and read again after every instant goes on as if it had not been."""

from __future__ import annotations

import os
from bisect import bisect_right
from itertools import groupby
from operator import itemgetter

import pytest

from schemas.event import TIMESTAMP
from tests.laws.agreement import describe
from tests.strategies.cases import Case, case
from tests.strategies.choices import seeded
from transforms.segments.compiler import compile_program
from transforms.segments.nodes.packed_state import pack_state, unpack_state
from transforms.segments.nodes.packing import Many, pack_plain, pack_slot, unpack_plain
from transforms.segments.nodes.state import Change, State
from transforms.segments.replay import ReplayResult, computed_traits, intervals_of, replay, run, with_expiry

CASES = int(os.environ.get("TIDEMARK_CASES", "400"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "20000"))
PARTS = 4


def replay_packed(found: Case) -> ReplayResult:
    """As `replay` does it, but through bytes."""
    program = compile_program(found.definitions)
    events = found.events[: bisect_right(found.events, found.as_of, key=itemgetter(TIMESTAMP))]
    state, changes = State(found.profile_id), list[Change]()
    for now, group in groupby(events, key=itemgetter(TIMESTAMP)):
        run(program, state, tuple(group), now)
        changes += state.changes
        state = unpack_state(program, found.profile_id, unpack_plain(pack_plain(pack_state(program, state))))
    run(program, state, (), found.as_of)
    state.changes = changes + state.changes
    computed = computed_traits(program, state, found.as_of)
    return ReplayResult(
        with_expiry(program, state, list(intervals_of(state.changes))), computed, state.traits, state.writes
    )


def check(seeds: range) -> None:
    for seed in seeds:
        found = case(seeded(seed))
        program = compile_program(found.definitions)
        expected = replay(program, found.profile_id, found.events, found.as_of)
        got = replay_packed(found)
        assert in_text(got) == in_text(expected), f"seed {seed}\n{describe(found)}"


def in_text(result: ReplayResult) -> str:
    """With 1 and 1.0 and true apart."""
    return f"{result.memberships} {result.computed} {sorted(result.traits.items())}"


@pytest.mark.parametrize("part", range(PARTS))
def test_packing_between_instants_changes_nothing(part: int) -> None:
    check(range(part * CASES // PARTS, (part + 1) * CASES // PARTS))


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_packing_between_instants_changes_nothing_in_thousands_of_cases(part: int) -> None:
    check(range(part * LONG_CASES // PARTS, (part + 1) * LONG_CASES // PARTS))


@pytest.mark.parametrize("value", [2**64, -(2**70), [1, 1.0, True, None, "ü"], {"a": [2**63, {"b": -(2**64)}]}])
def test_values_survive_whatever_their_size(value: object) -> None:
    assert repr(unpack_plain(pack_plain(value))) == repr(value)


@pytest.mark.parametrize("value", [Many([1, 2]), (1, "a"), [1, 2], None, 7])
def test_a_funnel_tells_lists_apart_after_packing(value: object) -> None:
    read = unpack_plain(pack_plain([pack_slot(value)]))[0]
    assert type(read) is type(value)
    assert read == value
