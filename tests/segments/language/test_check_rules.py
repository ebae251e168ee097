"""Types and places: what may be compared with what."""

import pytest

from schemas.errors import Problem
from transforms.segments.language.check import check, never_true
from transforms.segments.language.errors import SourceFile
from transforms.segments.language.kinds import Type
from transforms.segments.language.parser import parse_condition, parse_scalar
from transforms.segments.language.resolve import resolve_names

TRAITS = {"orders": Type.NUMBER, "seen": Type.LIST, "last": Type.INSTANT, "favourite": Type.TEXT}
STREAM = "event('A')"


def problems_of(text: str) -> list[Problem]:
    source = SourceFile("x.yaml", text)
    return check(resolve_names(parse_condition(text), ["vip"], TRAITS), source, TRAITS)


@pytest.mark.parametrize(
    "text",
    [
        "event('A').count() >= '5'",
        "event('A').count() = trait('x')",
        "event('A').count().one_of(1, '2')",
        "event('A').max(property('x')) > event('A').avg(property('x'))",
        "event('A').max(property('x') as string) = 'b'",
        "event('A').mode(property('x')) = 'b'",
        "event('A').mode(property('x')).contains('b')",
        "event('A').last(property('x')) >= 5",
        "event('A').last(property('x')).within_last(7 days)",
        "event('A').unique(property('x')).contains('b')",
        "event('A').unique(property('x')).exists()",
        "event('A').last_at() > event('B').last_at()",
        "event('A').last_at() = '2027-01-31'",
        "event('A').last_at().after_date(trait('x'))",
        "trait('vip') = true",
        "trait('segments.vip') = 'false'",
        "(trait('vip') = true).held_for(7 days)",
        "trait('orders').at_least(2).held_for(7 days)",
        "trait('last').before_last(7 days)",
        "trait('x') > 5 AND trait('x') = 'word' AND trait('x') = true",
        "percent('salt') < 10",
        "event('A').where(event('B').where(property('x') = property(parent: 'x')).count() = 0).count() = 1",
        "event('A').where(event('B').sum(property(parent: 'x')) = 0).count() = 1",
    ],
)
def test_what_can_be_compared(text: str) -> None:
    assert problems_of(text) == []


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("event('A').count() >= 'abc'", 23, "count() is a number; it cannot be compared with 'abc'"),
        ("event('A').count() = 'abc'", 22, "count() is a number; it cannot be compared with 'abc'"),
        ("'abc' = event('A').count()", 1, "count() is a number; it cannot be compared with 'abc'"),
        ("event('A').count().one_of('1', 'x')", 32, "count() is a number; it cannot be compared with 'x'"),
        ("event('A').count() = true", 22, "count() is a number; it cannot be compared with true"),
        ("event('A').count() > 2027-01-31", 22, "count() is a number; it cannot be compared with 2027-01-31"),
        (
            "event('A').unique(property('x')).count() = 'x'",
            44,
            "unique(...).count() is a number; it cannot be compared with 'x'",
        ),
        ("trait('orders') > 'many'", 19, "trait('orders') is a number; it cannot be compared with 'many'"),
        ("percent('s') < 'x'", 16, "percent('s') is a number; it cannot be compared with 'x'"),
        ("event('A').last_at() > 5", 24, "last_at() is a date; it cannot be compared with 5"),
        ("event('A').last_at() = 'x'", 24, "last_at() is a date; it cannot be compared with 'x'"),
        ("trait('vip') = 'yes'", 16, "trait('segments.vip') is true or false; it cannot be compared with 'yes'"),
        ("trait('vip') = 1", 16, "trait('segments.vip') is true or false; it cannot be compared with 1"),
        ("trait('vip') > 0", 1, "greater_than compares numbers and dates; trait('segments.vip') is true or false"),
        ("trait('x') > true", 14, "greater_than compares numbers and dates; true is true or false"),
        ("trait('x').contains(5)", 21, "contains() looks for text; 5 is a number"),
        ("event('A').count().contains('5')", 20, "contains() looks into text; count() is a number"),
        ("trait('last').starts_with('2')", 15, "starts_with() looks into text; trait('last') is a date"),
        ("event('A').count().within_last(7 days)", 20, "within_last() compares dates; count() is a number"),
        (
            "trait('vip').after_date(2027-01-31)",
            14,
            "after_date() compares dates; trait('segments.vip') is true or false",
        ),
        ("trait('x').after_date(event('A').count())", 34, "after_date() compares dates; count() is a number"),
        ("event('A').unique(property('x')) = 'x'", 34, "unique() is a list; it has no equals"),
        ("trait('seen').within_last(1 day)", 15, "trait('seen') is a list; it has no within_last"),
        ("trait('x') = trait('seen')", 14, "trait('seen') is a list; nothing compares with it"),
        ("7 days = trait('x')", 1, "a duration is not a value to compare"),
        ("property('x') = 1", 1, "property() has a meaning only inside where() or a reducer"),
        ("trait('x') = context('x')", 14, "context() has a meaning only inside where() or a reducer"),
        (
            "event('A').where(property(parent: 'x') = 1).count() = 1",
            18,
            "property(parent: ...) has a meaning only inside the where() of a stream that is itself inside a where()",
        ),
        (
            "event('A').sum(property(parent: 'x')) = 1",
            16,
            "property(parent: ...) has a meaning only inside the where() of a stream that is itself inside a where()",
        ),
        (
            "event('A').within(parent: 1 day).count() = 1",
            12,
            "a window on 'parent:' has a meaning only inside the where() of another event",
        ),
        ("event('A').count().equals(1).held_for(1 day)", 30, "held_for() follows a comparison of a trait"),
        (
            "event('A').where(trait('x').equals(property('y')).held_for(1 day)).count() = 1",
            36,
            "held_for() cannot compare with a property of an event",
        ),
        (
            "event('A').where(event('B').count() = 'x').count() = 1",
            39,
            "count() is a number; it cannot be compared with 'x'",
        ),
    ],
)
def test_what_cannot(text: str, column: int, message: str) -> None:
    (problem,) = problems_of(text)
    assert (problem.position.column, problem.message) == (column, message)


def test_a_computed_trait_is_checked_too() -> None:
    text = "event('A').where(event('B').count() = 'x').sum(property('y'))"
    (problem,) = check(parse_scalar(text), SourceFile("x.yaml", text), {})
    assert problem.position.column == 39
    (problem,) = check(parse_scalar("7 days"), SourceFile("x.yaml", "7 days"), {})
    assert problem.message == "a duration is not a value"
    (problem,) = check(parse_scalar("property('x')"), SourceFile("x.yaml", ""), {})
    assert "only inside" in problem.message


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("trait('x') >= 'big'", "at_least compares numbers and dates; with a word it is never true"),
        ("event('A').mode(property('x')) = 5", "mode() is text, which never equals the number 5"),
        ("event('A').max(property('x') as string) = 5", "max() is text, which never equals the number 5"),
    ],
)
def test_comparisons_that_never_hold_are_warnings(text: str, warning: str) -> None:
    source = SourceFile("x.yaml", text)
    assert problems_of(text) == []
    assert [problem.message for problem in never_true(parse_condition(text), source, {})] == [warning]


@pytest.mark.parametrize(
    "text",
    [
        "trait('x') >= '5'",
        "trait('x') > '2027-01-31'",
        "event('A').mode(property('x') as number) = 5",
        "trait('x') = 5",
    ],
)
def test_comparisons_that_may_hold_are_not(text: str) -> None:
    assert never_true(parse_condition(text), SourceFile("x.yaml", text), {}) == []
