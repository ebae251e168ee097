"""Stories that pin the reference itself: each row of the contract's table at its exact boundaries, to
the microsecond."""

from __future__ import annotations

from typing import Any

import pytest

from tests.laws.stories import (
    DAY,
    FAR,
    HOUR,
    START,
    compare,
    computed_of,
    count,
    hour,
    identify,
    none,
    prop,
    reduce_view,
    segment,
    some,
    spans,
    stream,
    track,
    trait_definition,
    true_at,
    value_of,
    views,
    within,
    within_parent,
)
from tests.reference.values import Moment
from transforms.segments.language import ast

AGE = ast.Trait("age")
RENEWAL = ast.Trait("renewal")


# --- windows ---------------------------------------------------------------------------------------------------------


def test_within_counts_an_event_from_its_instant_until_just_before_the_window_has_passed() -> None:
    viewed = some(count("View", within(HOUR)))
    ends = hour(1) + HOUR
    assert true_at(viewed, [track("m", hour(1))], hour(1) - 1, hour(1), ends - 1, ends) == [False, True, True, False]


def test_between_counts_an_event_from_start_until_just_before_end() -> None:
    viewed = some(count("View", ast.Window(HOUR, 3 * HOUR)))
    instants = (hour(1) - 1, hour(1), hour(3) - 1, hour(3))
    assert true_at(viewed, [track("m", hour(0))], *instants) == [False, True, True, False]


@pytest.mark.parametrize(("after", "counts"), [(-1, False), (0, True), (HOUR - 1, True), (HOUR, False)])
def test_within_parent_starts_with_the_parent_and_ends_just_before_the_duration(after: int, counts: bool) -> None:
    bought = ast.Where(some(count("Buy", within_parent(HOUR))))
    events = [track("m", hour(5)), track("b", hour(5) + after, "Buy")]
    assert true_at(some(count("View", bought)), events, FAR) == [counts]


def test_the_parent_is_not_within_itself_but_another_at_its_instant_is() -> None:
    again = some(count("View", ast.Where(some(count("View", within_parent(HOUR))))))
    assert true_at(again, [track("m", hour(1))], FAR) == [False]
    assert true_at(again, [track("m", hour(1)), track("n", hour(1))], FAR) == [True]


@pytest.mark.parametrize(
    ("after", "counts"), [(HOUR - 1, False), (HOUR, True), (2 * HOUR - 1, True), (2 * HOUR, False)]
)
def test_between_parent_is_half_open(after: int, counts: bool) -> None:
    bought = ast.Where(some(count("Buy", ast.ParentWindow(HOUR, 2 * HOUR, excludes_parent=False))))
    events = [track("m", hour(5)), track("b", hour(5) + after, "Buy")]
    assert true_at(some(count("View", bought)), events, FAR) == [counts]


def test_between_parent_from_nothing_on_holds_the_parent_itself() -> None:
    itself = ast.Where(some(count("View", ast.ParentWindow(0, HOUR, excludes_parent=False))))
    assert true_at(some(count("View", itself)), [track("m", hour(1))], hour(1)) == [True]


def test_parent_is_the_innermost_enclosing_event() -> None:
    same_as_parent = ast.Where(compare(prop("x"), "equals", prop("x", parent=True)))
    inner = ast.Where(some(count("C", same_as_parent)))
    outer = some(count("A", ast.Where(some(count("B", inner)))))
    a, b = track("a", hour(1), "A", x=1), track("b", hour(2), "B", x=2)
    assert true_at(outer, [a, b, track("c", hour(3), "C", x=1)], FAR) == [False]
    assert true_at(outer, [a, b, track("c", hour(3), "C", x=2)], FAR) == [True]


def test_checkout_without_order_enters_exactly_one_hour_after_the_checkout() -> None:
    no_order = ast.Where(none(count("Order", within_parent(HOUR))))
    abandoned = segment(some(count("Checkout", no_order, ast.Window(HOUR, DAY))))
    checkout = track("c", hour(2), "Checkout")
    assert spans([checkout], abandoned) == [(hour(3), hour(26))]
    assert spans([checkout, track("o", hour(3) - 1, "Order")], abandoned) == []
    assert spans([checkout, track("o", hour(3), "Order")], abandoned) == [(hour(3), hour(26))]


# --- dates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "around"),
    [
        # true or not: just before and at v - d, just before and at v, just before and at v + d
        ("within_last", [False, False, False, True, True, False]),
        ("within_next", [False, True, True, False, False, False]),
        ("before_last", [False, False, False, False, False, True]),
        ("after_next", [True, False, False, False, False, False]),
    ],
)
def test_date_comparators_at_their_boundaries(operator: str, around: list[bool]) -> None:
    condition = compare(RENEWAL, operator, ast.Duration(HOUR))
    told = [identify("i", START, renewal="2026-01-05T10:00:00Z")]
    instants = (hour(9) - 1, hour(9), hour(10) - 1, hour(10), hour(11) - 1, hour(11))
    assert true_at(condition, told, *instants) == around


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05", START),
        ("2026-01-05T03:00:00", hour(3)),
        ("2026-01-05T03:00:00Z", hour(3)),
        ("2026-01-05T03:00:00+02:00", hour(1)),
        ("2026-01-05T00:00:00.000001Z", START + 1),
    ],
)
def test_dates_alone_are_midnight_and_no_zone_is_utc(text: str, expected: int) -> None:
    told = [identify("i", START, renewal=text)]
    just_before, just_after = ast.Instant(expected - 1, "-"), ast.Instant(expected + 1, "+")
    assert true_at(compare(RENEWAL, "after_date", just_before), told, FAR) == [True]
    assert true_at(compare(RENEWAL, "before_date", just_after), told, FAR) == [True]
    at = ast.Instant(expected, "=")
    assert true_at(compare(RENEWAL, "after_date", at), told, FAR) == [False]
    assert true_at(compare(RENEWAL, "before_date", at), told, FAR) == [False]


@pytest.mark.parametrize("no_date", ["soon", 5, True, None, ["2026-01-05"]])
def test_what_is_no_date_is_null(no_date: Any) -> None:
    told = [identify("i", START, renewal=no_date)]
    assert true_at(compare(RENEWAL, "after_date", ast.Instant(0, "0")), told, FAR) == [False]
    assert true_at(compare(RENEWAL, "before_last", ast.Duration(HOUR)), told, FAR) == [False]


# --- held for --------------------------------------------------------------------------------------------------------


def test_held_for_counts_from_the_last_time_that_the_comparison_became_true() -> None:
    gold = ast.HeldFor(compare(ast.Trait("tier"), "equals", "gold"), 2 * HOUR)
    told = [
        identify("a", hour(1), tier="gold"),
        identify("b", hour(2), tier="gold"),
        identify("c", hour(4), tier="base"),
        identify("d", hour(5), tier="gold"),
    ]
    instants = (hour(3) - 1, hour(3), hour(4) - 1, hour(4), hour(7) - 1, hour(7))
    assert true_at(gold, told, *instants) == [False, True, True, False, False, True]
    assert spans(told, segment(gold)) == [(hour(3), hour(4)), (hour(7), None)]


def test_held_for_of_a_missing_trait_counts_from_the_profiles_first_event() -> None:
    unknown = ast.HeldFor(compare(ast.Trait("tier"), "absent"), HOUR)
    assert spans([track("m", hour(1))], segment(unknown)) == [(hour(2), None)]


def test_held_for_of_a_comparison_that_time_ends() -> None:
    lapsing = ast.HeldFor(compare(RENEWAL, "within_next", ast.Duration(3 * HOUR)), HOUR)
    told = [identify("i", START, renewal="2026-01-05T10:00:00Z")]
    assert spans(told, segment(lapsing)) == [(hour(8), hour(10))]


def test_held_for_a_true_comparison_that_is_interrupted_for_one_microsecond() -> None:
    adult = ast.HeldFor(compare(AGE, "at_least", 18), HOUR)
    told = [identify("a", hour(0), age=20), identify("b", hour(2), age=2), identify("c", hour(2) + 1, age=20)]
    assert spans(told, segment(adult)) == [(hour(1), hour(2)), (hour(3) + 1, None)]


# --- missing values and types ----------------------------------------------------------------------------------------

EVERY_OPERATOR: tuple[str, ...] = ("equals", "differs", "greater_than", "at_least", "less_than", "at_most")
EVERY_OPERATOR += ("contains", "omits", "starts_with", "ends_with", "one_of", "none_of")


@pytest.mark.parametrize("operator", EVERY_OPERATOR)
def test_every_comparison_with_null_is_false_and_not_negates_it(operator: str) -> None:
    told = [identify("i", START, age=None, city="Lima")]
    condition = compare(AGE, operator, "1")
    assert true_at(condition, told, FAR) == [False]
    assert true_at(ast.Not(condition), told, FAR) == [True]
    assert true_at(compare(ast.Trait("city"), operator, AGE), told, FAR) == [False]


def test_absent_and_exists() -> None:
    told = [identify("i", START, age=3), identify("j", hour(1), age=None)]
    assert true_at(compare(AGE, "absent"), told, START, hour(1)) == [False, True]
    assert true_at(compare(AGE, "exists"), told, START, hour(1)) == [True, False]


@pytest.mark.parametrize(
    ("sent", "literal", "equal"),
    [
        (5, 5, True),
        (5, 5.0, True),
        (5, "5", True),
        ("5", "5", True),
        ("5", 5, False),
        (True, "true", True),
        (True, 1, False),
        (1, True, False),
        (True, True, True),
        ("true", True, False),
        (False, "false", True),
        ([1], 1, False),
        ("a", "A", False),
    ],
)
def test_equality_compares_json_values_and_string_literals_equal_json_texts(
    sent: Any, literal: Any, equal: bool
) -> None:
    told = [identify("i", START, age=sent)]
    assert true_at(compare(AGE, "equals", literal), told, FAR) == [equal]
    assert true_at(compare(AGE, "differs", literal), told, FAR) == [not equal]
    assert true_at(compare(AGE, "one_of", "zzz", literal), told, FAR) == [equal]
    assert true_at(compare(AGE, "none_of", "zzz", literal), told, FAR) == [not equal]


def test_only_string_literals_equal_json_texts() -> None:
    told = [identify("i", START, age=5, other="5")]
    assert true_at(compare(AGE, "equals", ast.Trait("other")), told, FAR) == [False]


@pytest.mark.parametrize(
    ("sent", "literal", "greater"),
    [
        (10, 9, True),
        ("10", 9, True),
        ("10", "9", True),
        ("b", "a", False),
        (True, 0, False),
        (9, 9, False),
        ([10], 9, False),
    ],
)
def test_ordering_compares_numbers_and_numeric_strings_only(sent: Any, literal: Any, greater: bool) -> None:
    told = [identify("i", START, age=sent)]
    assert true_at(compare(AGE, "greater_than", literal), told, FAR) == [greater]


def test_text_comparators() -> None:
    told = [identify("i", START, city="New York", tags=["red shoes", 5], number=12)]
    city, tags, number = ast.Trait("city"), ast.Trait("tags"), ast.Trait("number")
    assert true_at(compare(city, "contains", "zzz", "York"), told, FAR) == [True]
    assert true_at(compare(city, "contains", "york"), told, FAR) == [False]
    assert true_at(compare(city, "starts_with", "New"), told, FAR) == [True]
    assert true_at(compare(city, "ends_with", "New"), told, FAR) == [False]
    assert true_at(compare(city, "omits", "York"), told, FAR) == [False]
    assert true_at(compare(tags, "contains", "shoe"), told, FAR) == [True]
    assert true_at(compare(tags, "omits", "shoe"), told, FAR) == [False]
    assert true_at(compare(number, "contains", "1"), told, FAR) == [False]
    assert true_at(compare(number, "omits", "1"), told, FAR) == [True]


# --- paths -----------------------------------------------------------------------------------------------------------


def test_a_path_with_elements_holds_if_any_does_and_on_both_sides_for_any_pair() -> None:
    order = track("o", hour(2), "Order", products=[{"id": "a"}, {"id": "b"}, {}])
    bought = ast.Where(compare(prop("products.$.id"), "equals", prop("ids.$", parent=True)))
    viewed_and_bought = some(count("View", ast.Where(some(count("Order", bought)))))
    assert true_at(viewed_and_bought, [track("m", hour(1), ids=["x", "b"]), order], FAR) == [True]
    assert true_at(viewed_and_bought, [track("m", hour(1), ids=["x", "y"]), order], FAR) == [False]
    differs = some(count("Order", ast.Where(compare(prop("products.$.id"), "differs", "a"))))
    assert true_at(differs, [order], FAR) == [True]


def test_a_path_with_elements_is_absent_when_no_element_has_a_value() -> None:
    absent = some(count("View", ast.Where(compare(prop("products.$.id"), "absent"))))
    for products, expected in (([{}], True), ([], True), ("a", True), ([{}, {"id": 1}], False)):
        assert true_at(absent, [track("m", hour(1), products=products)], FAR) == [expected]


def test_trait_paths_look_for_the_whole_name_first() -> None:
    told = [identify("i", START, address={"city": "Lima"})]
    city = ast.Trait("address.city")
    assert value_of(city, *told) == "Lima"
    assert value_of(city, *told, identify("j", START, **{"address.city": "Rome"})) == "Rome"


# --- reducers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reducer", "options", "sent", "expected"),
    [
        ("count", {}, [1, None], 2),
        ("count", {}, [], 0),
        ("sum", {}, [1, "2.5", "no", True, None], 3.5),
        ("sum", {}, [None], 0),
        ("avg", {}, [1, "2", "no"], 1.5),
        ("avg", {}, ["no"], None),
        ("max", {}, [1, "7", "no", True], 7),
        ("min", {}, [3, "2"], 2),
        ("max", {}, [], None),
        ("max", {"cast": "string"}, [10, 9, "8"], "9"),
        ("first", {}, [None, 5, 6], 5),
        ("last", {}, [5, "a", None], "a"),
        ("first", {}, [None], None),
        ("unique", {}, [1, 1.0, True, "1", [1]], [1, True, "1", [1]]),
        ("unique_count", {}, [1, 1.0, True, "1", [1]], 4),
        ("mode", {}, ["a", "b", "a"], "a"),
        ("mode", {}, ["a", "b"], "b"),
        ("mode", {}, [5, "5", "a"], "5"),
        ("mode", {}, [True], "true"),
        ("mode", {"min_frequency": 2}, ["a", "b"], None),
        ("mode", {"min_frequency": 2}, ["a", "b", "a", "c"], "a"),
        ("mode", {"cast": "number"}, [5, "5", "a", "a", "a"], 5),
        ("mode", {"cast": "array"}, [["a"], "a", "a", ["b"], ["a"]], ["a"]),
    ],
)
def test_reducers(reducer: str, options: dict[str, Any], sent: list[Any], expected: Any) -> None:
    scalar = ast.Reduced(stream("View"), reducer, None if reducer == "count" else prop("x"), **options)
    found = value_of(scalar, *views(*sent), track("z", hour(99), "Other"))
    assert found == expected
    assert type(found) is type(expected)


def test_each_element_of_a_path_counts_in_a_reducer() -> None:
    told = views([1, "a"], [2, 2], "no list")
    assert value_of(reduce_view("sum", "x.$"), *told) == 5
    assert value_of(reduce_view("unique_count", "x.$"), *told) == 3
    assert value_of(reduce_view("first", "x.$"), *told) == 1
    assert value_of(reduce_view("last", "x.$"), *told) == 2
    assert value_of(reduce_view("mode", "x.$"), *told) == "2"


def test_first_at_and_last_at_are_event_times_and_ties_break_by_message_id() -> None:
    told = [track("b", hour(1), x="b"), track("a", hour(1), x="a")]
    assert value_of(ast.Reduced(stream("View"), "first_at"), *told) == Moment(hour(1))
    assert value_of(ast.Reduced(stream("View"), "last_at"), *told) == Moment(hour(1))
    assert value_of(ast.Reduced(stream("Other"), "last_at"), *told) is None
    assert value_of(reduce_view("first"), *told) == "a"
    assert value_of(reduce_view("last"), *told) == "b"


def test_computed_traits_are_json_and_their_instants_iso() -> None:
    last = trait_definition("last_view", ast.Reduced(stream("View"), "last_at"))
    assert computed_of([track("m", hour(1) + 1)], last) == {"last_view": "2026-01-05T01:00:00.000001Z"}
    recent = segment(compare(ast.ComputedTrait("last_view"), "within_last", ast.Duration(HOUR)))
    assert spans([track("m", hour(1))], last, recent) == [(hour(1), hour(2))]


# --- traits and profiles ---------------------------------------------------------------------------------------------


def test_last_write_wins_by_time_then_message_id_and_null_unsets() -> None:
    told = [identify("b", hour(1), age=2), identify("a", hour(1), age=1), identify("c", hour(2), age=None)]
    assert value_of(AGE, *told, at=hour(1)) == 2
    assert value_of(AGE, *told, at=hour(2)) is None


def test_traits_in_a_where_are_those_at_the_instant_asked_about() -> None:
    pricey = some(count("View", ast.Where(compare(prop("x"), "at_least", AGE))))
    told = [track("m", hour(1), x=10), identify("i", hour(2), age=10), identify("j", hour(3), age=11)]
    assert spans(told, segment(pricey)) == [(hour(2), hour(3))]


def test_a_rule_of_nots_holds_from_the_first_event_of_the_profile() -> None:
    assert spans([track("m", hour(1), "Other")], segment(none(count("View")))) == [(hour(1), None)]


def test_percent_is_a_stable_bucket() -> None:
    bucket = value_of(ast.Percent("salt"), track("m", START))
    assert bucket == value_of(ast.Percent("salt"), track("n", hour(5)))
    assert 0 <= bucket < 100
