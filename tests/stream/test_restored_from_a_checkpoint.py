"""A runner that dies goes on from its last checkpoint, and what came since comes otherwise: the tables are F's."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.event import MESSAGE_ID
from tests.laws.memory import World, in_order, seeded_world
from tests.stream.restored import Restored, stays_of
from tests.stream.simulation import ANY_TIME, NO_HORIZON, differences, expected
from transforms.segments.language import ast
from transforms.state.horizon import Horizon

CASES = int(os.environ.get("TIDEMARK_CASES", "120"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "4000"))
PARTS = 4


def wrong(world: World, seed: int, horizon: Horizon = NO_HORIZON, *, goes_back: bool = False) -> list[str]:
    """What differs, in the tables or in the sum of the log of changes."""
    tables, restored = expected(world), Restored(world, seed, horizon, goes_back=goes_back)
    found = differences(tables, restored.run())
    if restored.current_log() != stays_of(tables):
        found.append(f"the log comes to {restored.current_log()}, memberships are {stays_of(tables)}")
    return found


def check(part: int, total: int, horizon: Horizon) -> None:
    for seed in range(part * total // PARTS, (part + 1) * total // PARTS):
        world = seeded_world(seed)
        assert not (found := wrong(world, seed, horizon)), "\n".join([f"seed {seed}", *in_order(world.lines), *found])


@pytest.mark.parametrize("horizon", [NO_HORIZON, ANY_TIME], ids=["all_kept", "left_behind"])
@pytest.mark.parametrize("part", range(PARTS))
def test_a_stream_that_dies_at_any_moment_ends_in_the_tables_of_the_bounded_job(part: int, horizon: Horizon) -> None:
    check(part, CASES, horizon)


@pytest.mark.long
@pytest.mark.parametrize("horizon", [NO_HORIZON, ANY_TIME], ids=["all_kept", "left_behind"])
@pytest.mark.parametrize("part", range(PARTS))
def test_thousands_that_die_at_any_moment_end_there_too(part: int, horizon: Horizon) -> None:
    check(part, LONG_CASES, horizon)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_any_world_in_any_order_with_any_deaths_ends_there(world: int, order: int) -> None:
    assert not wrong(seeded_world(world), order)


LINK = (
    b'{"messageId": "link", "type": "identify", "timestamp": "2026-01-01T00:00:00Z", "userId": "u", "anonymousId": "a"}'
)
SEEN = b'{"messageId": "seen", "type": "page", "timestamp": "2026-01-01T01:00:00Z", "anonymousId": "a"}'
SIGNED_IN = World((LINK, SEEN), ast.Definitions((), ()), 1_767_300_000_000_000, 0, 100)


@pytest.mark.parametrize("holds", [True, False], ids=["when_checkpointed", "at_once"])
def test_only_rows_that_wait_for_a_checkpoint_are_never_of_a_past_that_is_no_more(*, holds: bool) -> None:
    """The device's page comes before its link, the worker dies, and the second time the link comes first."""
    restored = Restored(SIGNED_IN, 0, holds=holds)
    by_id = {record[MESSAGE_ID]: record for record in restored.records}
    restored.arrive_all(by_id["seen"])
    assert restored.die()
    restored.arrive_all(by_id["link"])
    restored.arrive_all(by_id["seen"])
    restored.complete(restored.checkpoint())
    tables = restored.written.tables()
    assert set(expected(SIGNED_IN)["profiles"]) == {("user:u",)}
    assert set(tables["profiles"]) == ({("user:u",)} if holds else {("user:u",), ("anon:a",)})
    assert (differences(expected(SIGNED_IN), tables) == []) is holds


def test_what_is_made_and_never_written_is_made_often() -> None:
    """Else the tests above would prove little."""
    runs = [Restored(seeded_world(seed), seed) for seed in range(20)]
    for one in runs:
        one.run()
    assert sum(one.deaths for one in runs) >= len(runs)
    assert sum(one.taken_back for one in runs) >= 10 * len(runs)
    runs = [Restored(seeded_world(seed), seed, goes_back=True) for seed in range(20)]
    for one in runs:
        one.run()
    assert sum(one.went_back for one in runs) >= len(runs) / 2
