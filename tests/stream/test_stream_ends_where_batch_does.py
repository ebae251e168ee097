"""The law of the stream: whatever the order of arrival, its tables end as the bounded job's ."""

from __future__ import annotations

import os
from collections import Counter

import orjson
import pytest

from schemas.event import PREVIOUS_ID, TYPE
from schemas.tables import FAILED_EVENTS, PROFILES
from tests.laws.memory import World, in_order, seeded_world
from tests.stream.simulation import ANY_TIME, NO_HORIZON, Simulation, Tables, differences, expected
from transforms import counting
from transforms.deduplicate.copies import RETRACT, deduplicate
from transforms.state.horizon import Horizon

CASES = int(os.environ.get("TIDEMARK_CASES", "320"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "12000"))
PARTS = 4
_REASON, _STAGE = (FAILED_EVENTS.column_names().index(name) for name in ("reason", "stage"))
_MERGED_INTO = PROFILES.column_names().index("merged_into")


def wrong(world: World, seed: int, horizon: Horizon = NO_HORIZON) -> list[str]:
    """What differs, in the tables or in the sum of the log of changes."""
    tables = expected(world)
    simulation = Simulation(world, world.definitions, seed, horizon)
    found = differences(tables, simulation.run())
    log = simulation.current_log()
    stays = {key: row[3] for key, row in tables["memberships"].items()}
    if log != stays:
        found.append(f"the log comes to {log}, memberships are {stays}")
    counted = {name: count for name, count in simulation.counted.items() if count}
    if counted != counters(world, tables):
        found.append(f"counted {counted}, batch {counters(world, tables)}")
    return found


def counters(world: World, tables: Tables) -> dict[str, int]:
    """What a bounded job counts after parsing."""
    failed = Counter(
        row[_REASON] for row in tables["failed_events"].values() if row[_STAGE] in ("deduplicate", "identity")
    )
    found = {counting.FAILED + reason: count for reason, count in failed.items()}
    profiles = sum(row[_MERGED_INTO] is None for row in tables["profiles"].values())
    found |= {counting.ACCEPTED: len(tables["events"]), counting.PROFILES: profiles}
    erased = sum(orjson.loads(row[-1])["events"] + 1 for row in tables["deletions"].values())
    kept = deduplicate(world.records, {record[PREVIOUS_ID] for record in world.records if record[TYPE] == RETRACT})
    retracted = len(tables["retractions"]) + sum(kept.retracted.values())
    found |= {counting.ERASED: erased, counting.DUPLICATE: kept.duplicates, counting.RETRACTED: retracted}
    later_than_parsing = (count for name, count in found.items() if name != counting.PROFILES)
    assert sum(later_than_parsing) == len(world.records), "every record comes to something"
    return {name: count for name, count in found.items() if count}


def describe(world: World, seed: int, horizon: Horizon) -> str:
    """The case without the records that it does not need to fail."""
    index = 0
    while index < len(world.lines):
        fewer = world.without(index)
        if wrong(fewer, seed, horizon):
            world = fewer
        else:
            index += 1
    return "\n".join([*in_order(world.lines), *wrong(world, seed, horizon)])


def check(part: int, total: int, horizon: Horizon = NO_HORIZON) -> None:
    seeds = range(part * total // PARTS, (part + 1) * total // PARTS)
    failing = [seed for seed in seeds if wrong(seeded_world(seed), seed, horizon)]
    assert not failing, f"seeds {failing[:9]}\n{describe(seeded_world(failing[0]), failing[0], horizon)}"


@pytest.mark.parametrize("part", range(PARTS))
def test_any_order_of_arrival_ends_in_the_tables_of_the_bounded_job(part: int) -> None:
    check(part, CASES)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_thousands_of_orders_of_arrival_end_in_the_tables_of_the_bounded_job(part: int) -> None:
    check(part, LONG_CASES)


@pytest.mark.parametrize("part", range(PARTS))
def test_cells_that_leave_events_behind_at_any_moment_end_there_too(part: int) -> None:
    check(part, CASES, ANY_TIME)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_thousands_that_leave_events_behind_at_any_moment_end_there_too(part: int) -> None:
    check(part, LONG_CASES, ANY_TIME)


@pytest.mark.parametrize("seed", [*range(12), 4236])
def test_one_world_in_many_orders_ends_in_the_same_tables(seed: int) -> None:
    world = seeded_world(seed)
    assert not [line for order in range(12) for line in wrong(world, order)]
