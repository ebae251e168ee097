"""The bounded job, on columns, gives the tables of F on generated worlds: a law with two witnesses."""

from __future__ import annotations

import os

import pytest

from tests.laws.bounded import bounded
from tests.laws.memory import World, by_name, check, differing, united_worlds, whole

CASES = int(os.environ.get("TIDEMARK_CASES", "300"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "20000"))
PARTS = 4


def wrong(world: World) -> list[str]:
    return [str(found) for found in differing(by_name(whole(world)), by_name(bounded(world)))]


@pytest.mark.parametrize("part", range(PARTS))
def test_the_tables_are_those_of_the_law(part: int) -> None:
    check(part, PARTS, CASES, wrong)


@pytest.mark.parametrize("seed", range(10))
def test_many_worlds_in_the_same_buckets(seed: int) -> None:
    assert not wrong(united_worlds(seed, 20))


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_the_tables_are_those_of_the_law_in_thousands_of_worlds(part: int) -> None:
    check(part, PARTS, LONG_CASES, wrong)
