"""Explanations name exactly the events without which a membership would not hold: each is taken away, and one looks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from schemas.event import MESSAGE_ID
from tests.strategies.cases import Case, seeded_case
from tests.strategies.rule_text import definitions as text_of
from transforms.explain.question import Rule
from transforms.explain.reasons import Reasons, fewest
from transforms.explain.story import Explainer
from transforms.segments.compiler import compile_program
from transforms.segments.language import ast
from transforms.segments.language.resolve import needed_definitions
from transforms.segments.replay import replay

CASES = 400
PARTS = 4


def is_member(definitions: ast.Definitions, name: str, case: Case, at: int, without: set[str]) -> bool:
    events = [event for event in case.events if event.message_id not in without and event.timestamp <= at]
    if not events:
        return False
    found = replay(compile_program(definitions), case.profile_id, events, at).memberships
    return any(stay.segment == name and stay.exited_at is None for stay in found)


@pytest.mark.parametrize("part", range(PARTS))
def test_without_the_spare_events_each_named_one_is_needed(part: int) -> None:
    """At the first instant of every membership, and at as_of."""
    named = 0
    for seed in range(part * CASES // PARTS, (part + 1) * CASES // PARTS):
        case = seeded_case(seed)
        for segment in case.definitions.segments:
            definitions = needed_definitions(case.definitions, frozenset({segment.name}))
            reasons = Reasons(segment, definitions)
            stays = replay(compile_program(definitions), case.profile_id, case.events, case.as_of).memberships
            for at in {case.as_of, *(stay.entered_at for stay in stays if stay.segment == segment.name)}:
                events = [event for event in case.events if event.timestamp <= at]
                reason = reasons.why(case.profile_id, events, at)
                assert (reason is not None) == is_member(definitions, segment.name, case, at, set())
                if reason is None:
                    continue
                context = f"seed {seed}, {segment.name} at {at}\n{text_of(definitions)}"
                spare = set(reason.spare)
                assert is_member(definitions, segment.name, case, at, spare), context
                for event in reason.events:
                    named += 1
                    assert not is_member(definitions, segment.name, case, at, {*spare, event[MESSAGE_ID]}), context
    assert named > CASES // PARTS // 4


@pytest.mark.parametrize("part", range(PARTS))
def test_a_rule_is_fulfilled_as_its_parts_say(part: int) -> None:
    """The findings together say what the whole rule says, at every instant of an event."""
    for seed in range(part * CASES // PARTS, (part + 1) * CASES // PARTS, 4):
        case = seeded_case(seed)
        events = [event for event in case.events if event.timestamp <= case.as_of]
        for segment in case.definitions.segments:
            if segment.when is None:
                continue
            bare = ast.SegmentDefinition("bare", "", segment.when)
            definitions = ast.Definitions((*case.definitions.segments, bare), case.definitions.traits)
            stays = [
                stay
                for stay in replay(compile_program(definitions), case.profile_id, events, case.as_of).memberships
                if stay.segment == "bare"
            ]
            explainer = Explainer(Rule(bare, definitions))
            instants = sorted({event.timestamp for event in events} | {case.as_of})
            for at, found in explainer.parts_at(case.profile_id, events, instants).items():
                inside = any(s.entered_at <= at and (s.exited_at is None or s.exited_at > at) for s in stays)
                assert found.fulfilled == inside, f"seed {seed}, {segment.name} at {at}\n{text_of(definitions)}"


@pytest.mark.parametrize("seed", range(0, CASES, 8))
def test_what_comes_next_is_what_the_main_job_expects(seed: int) -> None:
    """A member leaves at `expires_at` if nothing else happens."""
    case = seeded_case(seed)
    events = [event for event in case.events if event.timestamp <= case.as_of]
    stays = replay(compile_program(case.definitions), case.profile_id, events, case.as_of).memberships
    for segment in case.definitions.segments:
        standing = Explainer(Rule(segment, case.definitions)).standing(case.profile_id, events, case.as_of)
        open_ = [stay for stay in stays if stay.segment == segment.name and stay.exited_at is None]
        assert standing.member is bool(open_)
        if open_:
            assert (standing.since, standing.next_at) == (open_[0].entered_at, open_[0].expires_at)


def test_one_needed_event_of_thousands_is_found_in_some_dozens_of_attempts() -> None:
    attempts = 0

    def holds(kept: Sequence[str]) -> bool:
        nonlocal attempts
        attempts += 1
        return "1234" in kept

    assert fewest([str(number) for number in range(5_000)], holds) == ["1234"]
    assert attempts < 60


def test_taking_one_away_can_make_another_superfluous() -> None:
    """Not every rule is monotone: "b" is needed as long as "c" is there."""
    assert fewest(["b", "c"], lambda kept: "c" not in kept or "b" in kept) == []
    assert fewest(["a", "b", "c"], lambda kept: "a" in kept and ("c" not in kept or "b" in kept)) == ["a"]
