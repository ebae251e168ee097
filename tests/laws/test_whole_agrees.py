"""F, the law as a function, gives the tables of the brute-force reference on generated worlds."""

from __future__ import annotations

import os

import pytest

from tests.laws.memory import World, by_name, check, differing, reference, seeded_world, whole

CASES = int(os.environ.get("TIDEMARK_CASES", "600"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "40000"))
PARTS = 4


def wrong(world: World) -> list[str]:
    return [str(found) for found in differing(reference(world), by_name(whole(world)))]


@pytest.mark.parametrize("part", range(PARTS))
def test_the_tables_are_those_of_the_reference(part: int) -> None:
    check(part, PARTS, CASES, wrong)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_the_tables_are_those_of_the_reference_in_thousands_of_worlds(part: int) -> None:
    check(part, PARTS, LONG_CASES, wrong)


@pytest.mark.parametrize("seed", [297, 1243])
def test_an_alias_whose_both_ids_are_one_device_makes_one_link(seed: int) -> None:
    assert not wrong(seeded_world(seed))
