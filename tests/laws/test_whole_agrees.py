"""F, the law as a function, gives the tables of the brute-force reference on generated worlds."""

from __future__ import annotations

import os

import pytest

from tests.laws.memory import World, by_name, differing, in_order, reference, seeded_world, whole

CASES = int(os.environ.get("TIDEMARK_CASES", "600"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "40000"))
PARTS = 4


def wrong(world: World) -> list[str]:
    return [str(found) for found in differing(reference(world), by_name(whole(world)))]


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
def test_the_tables_are_those_of_the_reference(part: int) -> None:
    check(part, CASES)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_the_tables_are_those_of_the_reference_in_thousands_of_worlds(part: int) -> None:
    check(part, LONG_CASES)


@pytest.mark.parametrize("seed", [297, 1243])
def test_an_alias_whose_both_ids_are_one_device_makes_one_link(seed: int) -> None:
    assert not wrong(seeded_world(seed))
