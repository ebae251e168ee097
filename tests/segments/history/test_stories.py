"""Cases that generated worlds are unlikely to meet: far dates, rounds of the clock, numbers at the ends of 64 bits."""

from __future__ import annotations

import importlib
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from schemas.event import Event
from schemas.instants import parse_instant_us
from tests.segments.history.agreement import by_columns, by_replay, differences
from transforms.segments.accumulators.accumulator import Accumulator
from transforms.segments.history import compile_history, evaluate, histories_of
from transforms.segments.language import ast
from transforms.segments.language.functions import FUNCTIONS
from transforms.segments.language.parser import parse_condition, parse_scalar
from transforms.segments.language.resolve import resolve_names
from transforms.segments.reducers import REDUCERS
from transforms.segments.replay import MembershipInterval

HOUR = 3_600_000_000
START = parse_instant_us("2026-01-05T00:00:00Z")


def event(message_id: str, hour: float, name: str, **properties: Any) -> Event:
    kind = "identify" if name == "identify" else "track"
    said = json.dumps(properties).encode()
    own, traits = (None, said) if kind == "identify" else (said, None)
    at = START + round(hour * HOUR)
    return Event(message_id, at, kind, "" if traits else name, "u", None, None, None, at, own, traits, None)


Rules = Mapping[str, str | tuple[str, dict[str, Any]]]
"""Rules, or rules with options, by name."""


def definitions(rules: Rules, **traits: str) -> ast.Definitions:
    """Segments of these rules, and computed traits."""
    segments = []
    for name, rule in rules.items():
        text, options = (rule, {}) if isinstance(rule, str) else rule
        condition = resolve_names(parse_condition(text), rules, traits)
        segments.append(ast.SegmentDefinition(name, "A segment.", condition, **options))
    values = {name: parse_scalar(text) for name, text in traits.items()}
    return ast.Definitions(tuple(segments), tuple(ast.TraitDefinition(n, "A trait.", v) for n, v in values.items()))


def stays(
    events: Sequence[Event], known: ast.Definitions, as_of_hour: float, profile_id: str = "user:u"
) -> dict[str, list[MembershipInterval]]:
    """The stays by segment, on which both evaluators agree."""
    given = ({profile_id: events}, known, START + round(as_of_hour * HOUR))
    columns = by_columns(*given)
    assert not differences(by_replay(*given), columns)
    found: dict[str, list[MembershipInterval]] = {segment.name: [] for segment in known.segments}
    for stay in columns[profile_id].memberships:
        found[stay.segment].append(stay)
    return found


@pytest.mark.parametrize("year", ["2027", "2126", "9999"])
def test_a_membership_ends_at_a_date_however_far(year: str) -> None:
    known = definitions({"s": "trait('until').after_next(1 days)"})
    end = parse_instant_us(f"{year}-06-01T00:00:00Z") - 24 * HOUR
    found = stays([event("a", 0, "identify", until=f"{year}-06-01")], known, 5)
    assert [stay.expires_at for stay in found["s"]] == [end]


def test_a_segment_that_ends_in_a_century_takes_those_that_build_on_it_along() -> None:
    end = parse_instant_us("2126-01-01T00:00:00Z")
    known = definitions(
        {
            "base": ("event('A').count() >= 1", {"expires": end}),
            "on_it": "trait('segments.base') = true",
            "against_it": "NOT trait('segments.base') = true",
        }
    )
    found = stays([event("a", 1, "A")], known, 5)
    assert [stay.expires_at for stay in found["base"] + found["on_it"]] == [end, end]
    assert not found["against_it"]


def test_when_two_rounds_of_the_clock_meet_is_found_however_late() -> None:
    always = "event('A').count() >= 1"
    rounds: Rules = {
        "three": (always, {"max_membership": 2 * HOUR, "reentry_after": HOUR}),
        "seventy": (always, {"max_membership": 69 * HOUR, "reentry_after": HOUR}),
        "both_out": "NOT (trait('segments.three') = true OR trait('segments.seventy') = true)",
        "not_both_out": "trait('segments.three') = true OR trait('segments.seventy') = true",
    }
    found = stays([event("a", 0, "A")], definitions(rounds), 1)
    # Every third hour and every seventieth hour: the last hour of both is hour 209.
    assert [(stay.expires_at or 0) - START for stay in found["not_both_out"]] == [209 * HOUR]


def test_what_no_round_of_the_clock_changes_has_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("transforms.segments.replay"), "MAX_STEPS_AHEAD", 500)
    always = "event('A').count() >= 1"
    limits = {"max_membership": 2 * HOUR, "reentry_after": HOUR}
    rules: Rules = {"one": (always, limits), "s": "trait('segments.one') = true OR event('A').count() >= 1"}
    assert [stay.expires_at for stay in stays([event("a", 0, "A")], definitions(rules), 1)["s"]] == [None]


def test_sums_beyond_64_bits_and_of_many_scales() -> None:
    numbers = [2**62, 2**62, 2**63, 1e300, -1e300, "1e-30", 0.1, 0.2, 12.34, -(2**63)]
    events = [event(f"m{n:02}", n, "A", x=number) for n, number in enumerate(numbers)]
    known = definitions(
        {
            "large": "event('A').within(3 hours).sum(property('x')) > 9223372036854775807",
            "third": "event('A').within(2 hours).sum(property('x')) = 0.3",
            "mean": "event('A').within(3 hours).avg(property('x')) < 1",
        },
        total="event('A').sum(property('x'))",
        mean="event('A').within(4 hours).avg(property('x'))",
    )
    assert all(stays(events, known, 20).values())


def test_an_event_is_not_its_own_child_within_but_is_between() -> None:
    again = "event('A').where(event('A'){join}.{window}.count() >= {least}).count() >= 1"
    join = ".where(property('x') = property(parent: 'x'))"
    rules = {
        f"{name}_{joined}_{least}": again.format(join=join if joined else "", window=window, least=least)
        for name, window in (("within", "within(parent: 2 hours)"), ("between", "between(parent: 0 hours, 2 hours)"))
        for joined in (False, True)
        for least in (1, 2)
    }
    events = [event("a", 0, "A", x=1), event("b", 0, "A", x=1.0), event("c", 5, "A", x=2)]
    found = stays(events, definitions(rules), 9)
    entered = {name for name, own in found.items() if own}
    assert entered == {
        *("within_False_1", "within_True_1"),
        *("between_False_1", "between_True_1", "between_False_2", "between_True_2"),
    }


def test_the_tenth_event_of_many_is_the_last_that_is_named() -> None:
    known = definitions({"s": "event('A').within(30 hours).sum(property('x')) >= 15"})
    found = stays([event(f"m{n:02}", n, "A", x=1) for n in range(20)], known, 25)
    assert found["s"][0].message_ids == tuple(f"m{n:02}" for n in range(10))


class Pairs(Accumulator):
    """How many pairs of events."""

    def value(self, active: object, sums: list[int]) -> int:
        return sums[0] * (sums[0] - 1) // 2


def test_a_reducer_that_has_but_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    row = replace(REDUCERS["count"], name="pairs", usage="pairs()", running=Pairs)
    monkeypatch.setitem(REDUCERS, "pairs", row)
    monkeypatch.setitem(FUNCTIONS, "pairs", row)
    rules = {
        "alone": "event('A').within(3 hours).pairs() >= 3",
        "funnel": "event('A').where(event('B').within(parent: 1 hours).count() = 0).within(3 hours).pairs() >= 3",
    }
    known = definitions(rules, pairs="event('A').within(2 hours).pairs()")
    events = [event(f"m{n:02}", n, "B" if n == 6 else "A") for n in range(10)]
    assert all(stays(events, known, 20).values())


def test_no_profile_at_all() -> None:
    known = definitions({"s": "event('A').count() >= 1"}, t="event('A').last_at()")
    found = evaluate(compile_history(known), histories_of({}, START), START)
    assert (len(found.segment), found.computed, found.traits) == (0, {"t": []}, [])


def test_definitions_of_accounts_are_left_out() -> None:
    known = definitions({"s": "event('A').count() >= 1", "t": ("event('A').count() >= 1", {"of": "accounts"})})
    program = compile_history(known)
    assert [segment.name for segment in program.definitions.segments] == ["s"]


def test_a_program_travels_as_its_definitions() -> None:
    program = compile_history(definitions({"s": "event('A').where(property('x') > 1).count() >= 1"}))
    again = pickle.loads(pickle.dumps(program))  # noqa: S301 - its own bytes
    histories = histories_of({"user:u": [event("a", 0, "A", x=2)]}, START)
    assert again is program
    assert np.array_equal(evaluate(again, histories, START).entered_at, [START])
