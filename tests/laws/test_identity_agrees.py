"""The engine's identity agrees with the brute-force reference on generated worlds, whatever the order of events."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from tests.laws import identity_engine
from tests.reference.identity import Resolution, resolve
from tests.strategies.identities import IdentityCase, identity_cases, seeded_identity_case

CASES = int(os.environ.get("TIDEMARK_CASES", "1200"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "40000"))
PARTS = 4


def expected(case: IdentityCase) -> Resolution:
    return resolve(case.events, case.as_of, case.stitch_window, case.max_merges)


def differs(case: IdentityCase) -> bool:
    return expected(case) != identity_engine.resolve(case)


def smallest(case: IdentityCase) -> IdentityCase:
    """The case without the events that it does not need to fail."""
    for index in range(len(case.events)):
        fewer = replace(case, events=case.events[:index] + case.events[index + 1 :])
        if differs(fewer):
            return smallest(fewer)
    return case


def describe(case: IdentityCase) -> str:
    events = sorted(case.events, key=lambda event: (event.timestamp, event.message_id))
    lines = [" ".join(map(str, event[:3] + event[4:7])) for event in events]
    limits = f"as_of {case.as_of} stitch_window {case.stitch_window} max_merges {case.max_merges}"
    return "\n".join([limits, *lines, f"reference {expected(case)}", f"engine    {identity_engine.resolve(case)}"])


def check(part: int, total: int) -> None:
    seeds = range(part * total // PARTS, (part + 1) * total // PARTS)
    failing = [seed for seed in seeds if differs(seeded_identity_case(seed))]
    assert not failing, (
        f"{len(failing)} cases differ, seeds {failing[:9]}\n{describe(smallest(seeded_identity_case(failing[0])))}"
    )


@pytest.mark.parametrize("part", range(PARTS))
def test_identity_agrees_with_the_reference_on_seeded_cases(part: int) -> None:
    check(part, CASES)


@pytest.mark.parametrize("seed", [2088, 10628, 21431])
def test_an_alias_that_stands_only_after_an_erasure_takes_nothing_that_is_erased(seed: int) -> None:
    case = seeded_identity_case(seed)
    assert not differs(case), describe(smallest(case))


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_identity_agrees_with_the_reference_on_thousands_of_seeded_cases(part: int) -> None:
    check(part, LONG_CASES)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(identity_cases())
def test_identity_agrees_with_the_reference_on_cases_that_shrink(case: IdentityCase) -> None:
    assert not differs(case), "\n" + describe(case)


@pytest.mark.parametrize("seed", range(100))
def test_the_order_of_events_changes_nothing(seed: int) -> None:
    case = seeded_identity_case(seed)
    shuffled = list(case.events)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - test data, no secret
    other = replace(case, events=tuple(shuffled))
    assert expected(other) == expected(case)
    assert identity_engine.resolve(other) == identity_engine.resolve(case)
