"""F agrees with the brute-force reference on worlds of nothing but identity, whatever the order of events."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from schemas.event import Event
from tests.laws.memory import World, by_name, described, reference, whole
from tests.laws.test_whole_agrees import wrong
from tests.reference.values import iso
from tests.strategies.identities import IdentityCase, identity_cases, seeded_identity_case
from transforms.segments.language import ast

CASES = int(os.environ.get("TIDEMARK_CASES", "1200"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "40000"))
PARTS = 4


def world_of(case: IdentityCase) -> World:
    lines = tuple(map(line, case.events))
    return World(lines, ast.Definitions((), ()), case.as_of, case.stitch_window, case.max_merges)


def line(event: Event) -> bytes:
    said = {"messageId": event.message_id, "type": event.type, "timestamp": iso(event.timestamp)}
    said |= {"event": "Product Viewed"} if event.type == "track" else {}
    ids = {"userId": event.user_id, "anonymousId": event.anonymous_id, "previousId": event.previous_id}
    return orjson.dumps(said | {name: known for name, known in ids.items() if known is not None})


def check(part: int, total: int) -> None:
    seeds = range(part * total // PARTS, (part + 1) * total // PARTS)
    failing = [seed for seed in seeds if wrong(world_of(seeded_identity_case(seed)))]
    assert not failing, f"seeds {failing[:9]}\n{described(world_of(seeded_identity_case(failing[0])), wrong)}"


@pytest.mark.parametrize("part", range(PARTS))
def test_identity_agrees_with_the_reference_on_seeded_cases(part: int) -> None:
    check(part, CASES)


@pytest.mark.parametrize("seed", [2088, 10628, 21431])
def test_an_alias_that_stands_only_after_an_erasure_takes_nothing_that_is_erased(seed: int) -> None:
    world = world_of(seeded_identity_case(seed))
    assert not wrong(world), described(world, wrong)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_identity_agrees_with_the_reference_on_thousands_of_seeded_cases(part: int) -> None:
    check(part, LONG_CASES)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(identity_cases())
def test_identity_agrees_with_the_reference_on_cases_that_shrink(case: IdentityCase) -> None:
    assert not wrong(world_of(case)), "\n" + described(world_of(case), wrong)


@pytest.mark.parametrize("seed", range(100))
def test_the_order_of_events_changes_nothing(seed: int) -> None:
    world = world_of(seeded_identity_case(seed))
    shuffled = list(world.lines)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - test data, no secret
    other = replace(world, lines=tuple(shuffled))
    assert by_name(whole(other)) == by_name(whole(world))
    assert reference(other) == reference(world)
