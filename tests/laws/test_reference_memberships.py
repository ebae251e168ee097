"""Stories that pin the reference's memberships: their limits, their pauses, and why they began and ended."""

from __future__ import annotations

from typing import Any

import pytest

from tests.laws.stories import (
    HOUR,
    START,
    compare,
    count,
    hour,
    identify,
    none,
    reduce_view,
    rows,
    segment,
    some,
    spans,
    stream,
    track,
    views,
    within,
    within_parent,
)
from tests.reference import memberships as reference
from tests.reference.rules import holds
from tests.strategies.cases import seeded_case
from tests.strategies.worlds import GRID_US
from transforms.segments.language import ast

AGE = ast.Trait("age")


# --- the life of a membership ----------------------------------------------------------------------------------------

VIEWED = some(count("View", within(HOUR)))


def test_a_static_segment_holds_its_users_from_their_first_event() -> None:
    static = segment(None, members=frozenset({"ann"}))
    assert spans([track("m", hour(1))], static) == [(hour(1), None)]
    assert spans([track("m", hour(1))], static, profile="user:bob") == []


def test_anonymous_profiles_stay_out_where_they_do_not_count() -> None:
    assert spans([track("m", hour(1))], segment(VIEWED, anonymous=False), profile="anon:a") == []
    assert len(spans([track("m", hour(1))], segment(VIEWED), profile="anon:a")) == 1


def test_expires_ends_every_membership_at_its_instant() -> None:
    expiring = segment(some(count("View")), expires=hour(2))
    (row,) = rows([track("m", hour(1)), track("n", hour(3))], expiring)
    assert (row.entered_at, row.exited_at, row.exit_cause) == (hour(1), hour(2), "segment_expired")
    assert rows([track("m", hour(2))], expiring) == []


def test_max_membership_ends_it_and_only_a_false_rule_makes_way_for_the_next() -> None:
    limited = segment(VIEWED, max_membership=HOUR // 2)
    told = [track("a", hour(1)), track("b", hour(1.75)), track("c", hour(4))]
    assert spans(told, limited) == [(hour(1), hour(1.5)), (hour(4), hour(4.5))]
    assert spans([track("a", hour(1)), track("b", hour(2))], limited) == [(hour(1), hour(1.5))]
    gap = [track("a", hour(1)), track("b", hour(2) + 1)]
    assert spans(gap, limited) == [(hour(1), hour(1.5)), (hour(2) + 1, hour(2.5) + 1)]


def test_reentry_waits_for_the_end_of_the_pause() -> None:
    pausing = segment(VIEWED, reentry_after=2 * HOUR)
    first = track("a", hour(1))
    assert spans([first, track("b", hour(2.5)), track("c", hour(3.5))], pausing)[1] == (hour(4), hour(4.5))
    assert spans([first, track("b", hour(2.5))], pausing) == [(hour(1), hour(2))]
    assert spans([first, track("b", hour(3))], pausing) == [(hour(1), hour(2))]
    assert spans([first, track("b", hour(3) + 1)], pausing)[1] == (hour(4), hour(4) + 1)
    assert spans([first, track("b", hour(5))], pausing)[1] == (hour(5), hour(6))


def test_with_reentry_a_rule_that_stays_true_comes_back_when_the_pause_is_over() -> None:
    rhythm = segment(some(count("View")), max_membership=2 * HOUR, reentry_after=HOUR)
    assert spans([track("a", hour(0))], rhythm, as_of=hour(5)) == [(hour(0), hour(2)), (hour(3), hour(5))]


def test_references_see_the_membership_and_not_the_rule() -> None:
    limited = segment(some(count("View")), "limited", max_membership=HOUR)
    follower = segment(compare(ast.Membership("limited"), "equals", True), "follower")
    found = rows([track("a", hour(1))], limited, follower)
    assert [(row.segment, row.entered_at, row.exited_at) for row in found] == [
        ("follower", hour(1), hour(2)),
        ("limited", hour(1), hour(2)),
    ]


def test_held_for_of_a_membership_counts_from_its_entry() -> None:
    limited = segment(some(count("View")), "limited", max_membership=3 * HOUR)
    member = compare(ast.Membership("limited"), "equals", True)
    found = spans([track("a", hour(1))], limited, segment(ast.HeldFor(member, HOUR), "loyal"))
    assert found == [(hour(1), hour(4)), (hour(2), hour(4))]


def test_expires_at_tells_what_will_happen_if_nothing_else_does() -> None:
    (row,) = rows([track("a", hour(1))], segment(VIEWED), as_of=hour(1.5))
    assert (row.exited_at, row.expires_at, row.exit_cause) == (None, hour(2), None)
    (row,) = rows([track("a", hour(1))], segment(VIEWED), as_of=hour(2))
    assert (row.exited_at, row.expires_at, row.exit_cause) == (hour(2), None, "time")
    (row,) = rows([track("a", hour(1)), track("b", hour(2))], segment(none(count("Buy"))), as_of=hour(1))
    assert (row.exited_at, row.expires_at) == (None, None)


# --- why -------------------------------------------------------------------------------------------------------------


def why(condition: ast.Condition, events: list[Any]) -> tuple[str, ...]:
    return rows(events, segment(condition))[0].message_ids


def test_message_ids_of_counts_are_what_was_counted_and_made_it_count() -> None:
    bought = ast.Where(some(count("Buy", within_parent(HOUR))))
    told = [track("a", hour(0)), track("b", hour(0.5), "Buy"), track("c", hour(3))]
    assert why(some(count("View", bought)), told) == ("a", "b")


def test_a_count_that_is_bounded_from_above_has_no_witness() -> None:
    told = [track("a", hour(0)), track("b", hour(1), "Buy")]
    few = compare(count("View"), "less_than", 3)
    assert why(ast.And((some(count("Buy")), few)), told) == ("b",)
    many = compare(count("View"), "at_least", 3)
    assert why(ast.And((some(count("Buy")), ast.Not(many))), told) == ("b",)
    assert why(ast.Not(none(count("View"))), told) == ("a",)
    assert why(ast.Not(few), [track(f"a{n}", hour(n)) for n in range(3)]) == ("a0", "a1", "a2")


def test_junctions_name_the_parts_that_decide() -> None:
    told = [track("a", hour(0)), track("b", hour(0), "Buy"), track("c", hour(0), "Chat")]
    view, buy, chat = (some(count(name)) for name in ("View", "Buy", "Chat"))
    no_call = compare(count("Call"), "at_most", 0)
    assert why(ast.Or((view, some(count("Call")))), told) == ("a",)
    assert why(ast.And((view, ast.Or((buy, chat)))), told) == ("a", "b", "c")
    few_views = none(count("View"))
    assert why(ast.Not(ast.And((few_views, buy))), told) == ("a",)
    assert why(ast.Not(ast.Or((few_views, none(count("Buy"))))), told) == ("a", "b")
    assert why(ast.And((view, no_call)), told) == ("a",)


def test_reducers_name_the_event_that_decided_or_those_that_have_the_property() -> None:
    told = views(1, None, 5, 5, "no")
    at_end = compare(AGE, "equals", 1)
    told.append(identify("i", hour(10), age=1))

    def named(scalar: ast.Scalar) -> tuple[str, ...]:
        return why(ast.And((at_end, compare(scalar, "exists"))), told)

    assert named(reduce_view("max")) == ("m2", "i")
    assert named(reduce_view("min")) == ("m0", "i")
    assert named(reduce_view("first")) == ("m0", "i")
    assert named(reduce_view("last")) == ("m4", "i")
    assert named(ast.Reduced(stream("View"), "first_at")) == ("m0", "i")
    assert named(ast.Reduced(stream("View"), "last_at")) == ("m4", "i")
    assert named(reduce_view("sum")) == ("m0", "m2", "m3", "i")
    assert named(reduce_view("unique_count")) == ("m0", "m2", "m3", "m4", "i")


def test_a_trait_names_its_last_write_and_a_segment_its_own_reasons() -> None:
    told = [
        identify("i", hour(0), age=1),
        identify("j", hour(1), age=1),
        identify("k", hour(2), other=1),
        track("a", hour(3)),
    ]
    assert why(ast.And((some(count("View")), compare(AGE, "equals", 1))), told) == ("j", "a")
    viewers = segment(some(count("View")), "a viewers")
    member = compare(ast.Membership("a viewers"), "equals", True)
    assert rows(told, viewers, segment(member))[1].message_ids == ("a",)


def test_at_most_ten_message_ids_the_earliest() -> None:
    told = [track(f"m{n:02}", hour(n)) for n in range(12)]
    assert why(compare(count("View"), "at_least", 12), told) == tuple(f"m{n:02}" for n in range(10))


def test_causes_are_events_when_the_rule_mentions_one_at_that_instant_else_time() -> None:
    told = [track("a", hour(1)), track("z", hour(2), "Other")]
    (row,) = rows(told, segment(VIEWED))
    assert (row.enter_cause, row.exit_cause, row.exit_message_ids) == ("event", "time", ())
    quiet = segment(ast.Not(VIEWED))
    first, last = rows([track("z", hour(0), "Other"), track("a", hour(1))], quiet)
    assert (first.enter_cause, first.exit_cause, first.exit_message_ids) == ("event", "event", ("a",))
    assert (last.entered_at, last.enter_cause) == (hour(2), "time")


def test_mentions_reach_through_computed_traits_and_segments() -> None:
    adult = segment(compare(AGE, "at_least", 18), "adult")
    child = segment(ast.Not(compare(ast.Membership("adult"), "equals", True)), "child")
    told = [identify("i", hour(1), age=3), identify("j", hour(2), age=20)]
    row = rows(told, adult, child)[1]
    assert (row.segment, row.enter_cause, row.exit_cause, row.exit_message_ids) == ("child", "event", "event", ("j",))


# --- the instants ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_nothing_changes_between_the_instants_that_the_reference_looks_at(seed: int) -> None:
    case = seeded_case(seed)
    history = reference.simulate(case.profile_id, case.events, case.definitions, case.as_of)
    assert history is not None
    offsets = [step * GRID_US + beside for step in range(-2, 60) for beside in (-1, 0, 1)]
    for instant in (START + offset for offset in offsets):
        known = [other for other in history.instants if other <= instant]
        if known:
            for segment_definition in case.definitions.segments:
                when = segment_definition.when
                assert when is None or holds(when, instant, history) == holds(when, known[-1], history)
