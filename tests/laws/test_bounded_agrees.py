"""The bounded job, on columns, gives the tables of F on generated worlds: a law with two witnesses."""

from __future__ import annotations

import os

import pytest

from tests.laws.bounded import bounded
from tests.laws.memory import World, by_name, differing, in_order, seeded_world, united_worlds, whole

CASES = int(os.environ.get("TIDEMARK_CASES", "300"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "20000"))
PARTS = 4


def wrong(world: World) -> list[str]:
    return [str(found) for found in differing(by_name(whole(world)), by_name(bounded(world)))]


def describe(world: World) -> str:
    """The case without the lines that it does not need to fail."""
    index = 0
    while index < len(world.lines):
        fewer = world.without(index)
        if wrong(fewer):
            world = fewer
        else:
            index += 1
    return "\n".join([*in_order(world.lines), *wrong(world), f"{world.stitch_window} {world.max_merges}"])


def check(part: int, total: int) -> None:
    seeds = range(part * total // PARTS, (part + 1) * total // PARTS)
    failing = [seed for seed in seeds if wrong(seeded_world(seed))]
    assert not failing, f"seeds {failing[:9]}\n{describe(seeded_world(failing[0]))}"


@pytest.mark.parametrize("part", range(PARTS))
def test_the_tables_are_those_of_the_law(part: int) -> None:
    check(part, CASES)


@pytest.mark.parametrize("seed", range(10))
def test_many_worlds_in_the_same_buckets(seed: int) -> None:
    assert not wrong(united_worlds(seed, 20))


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_the_tables_are_those_of_the_law_in_thousands_of_worlds(part: int) -> None:
    check(part, LONG_CASES)
