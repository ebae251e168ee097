"""A tree, written out and read again, is the same tree."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.segments.language import ast
from transforms.segments.language.format import format_condition, format_scalar
from transforms.segments.language.functions import COMPARATORS
from transforms.segments.language.literals import UNITS, parse_instant
from transforms.segments.language.parser import parse_condition, parse_scalar

names = st.text(min_size=1, max_size=8)
texts = st.text(max_size=8)
seconds = st.integers(1, 10**7) | st.builds(
    lambda n, unit: n * UNITS[unit] // UNITS["second"], st.integers(1, 9), st.sampled_from(sorted(UNITS))
)
lengths = seconds.map(lambda count: count * UNITS["second"])
numbers = st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
literals = st.builds(ast.Literal, texts | numbers | st.booleans())
written_dates = st.datetimes().map(lambda moment: moment.isoformat()) | st.dates().map(str)
instants = written_dates.map(lambda text: ast.Instant(parse_instant(text), text))
fields = st.builds(ast.Field, st.sampled_from(["properties", "context"]), names, st.booleans())
windows = st.tuples(st.integers(0, 10**6), st.integers(1, 10**6)).map(
    lambda pair: (pair[0] * UNITS["second"], sum(pair) * UNITS["second"])
)


@st.composite
def reduced(draw: Callable[..., Any], conditions: st.SearchStrategy[ast.Condition]) -> ast.Reduced:
    reducer = draw(st.sampled_from(["count", "sum", "max", "mode", "first", "unique", "unique_count", "last_at"]))
    stream = draw(streams(conditions))
    if reducer in ("count", "last_at"):
        return ast.Reduced(stream, reducer)
    casts = {"max": [None, "number", "string"], "mode": [None, "number", "string", "array"]}.get(reducer, [None])
    least = draw(st.none() | st.integers(1, 99)) if reducer == "mode" else None
    return ast.Reduced(stream, reducer, draw(fields), draw(st.sampled_from(casts)), least)


def streams(conditions: st.SearchStrategy[ast.Condition]) -> st.SearchStrategy[ast.Stream]:
    filters = st.one_of(
        st.builds(ast.Where, conditions),
        windows.map(lambda pair: ast.Window(*pair)),
        windows.map(lambda pair: ast.ParentWindow(*pair, excludes_parent=False)),
        lengths.map(lambda end: ast.ParentWindow(0, end, excludes_parent=True)),
    )
    kinds = st.sampled_from(["track", "page", "screen"])
    return st.builds(ast.Stream, kinds, names, st.lists(filters, max_size=3).map(tuple))


@st.composite
def comparisons(draw: Callable[..., Any], conditions: st.SearchStrategy[ast.Condition]) -> ast.Compare:
    traits = st.builds(ast.Trait, names)
    values = st.one_of(literals, instants, traits, fields, st.builds(ast.Percent, names), reduced(conditions))
    comparator = COMPARATORS[draw(st.sampled_from(sorted(COMPARATORS)))]
    if comparator.meaning == "presence":
        arguments: list[ast.Scalar] = []
    elif comparator.meaning == "relative_date":
        arguments = [draw(st.builds(ast.Duration, lengths))]
    elif comparator.meaning == "date":
        arguments = [draw(st.one_of(instants, traits, fields))]
    else:
        arguments = draw(st.lists(values, min_size=1, max_size=3 if comparator.many else 1))
    return ast.Compare(comparator.name, draw(values), tuple(arguments))


def extend(conditions: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(conditions, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(ast.And, several),
        st.builds(ast.Or, several),
        st.builds(ast.Not, conditions),
        comparisons(conditions),
        st.builds(ast.HeldFor, comparisons(conditions), lengths),
    )


all_conditions = st.recursive(comparisons(st.builds(ast.Compare, st.just("exists"), fields)), extend, max_leaves=6)


@given(all_conditions)
def test_conditions_come_back(condition: ast.Condition) -> None:
    again = parse_condition(format_condition(condition))
    assert again == condition
    assert repr(again) == repr(condition), "the types of literals are kept"


@given(reduced(all_conditions))
def test_scalars_come_back(scalar: ast.Reduced) -> None:
    assert repr(parse_scalar(format_scalar(scalar))) == repr(scalar)


@pytest.mark.parametrize(
    "text",
    [
        "event('A').where(property('x') = 'y').within(7 days).count() >= 1",
        "event('A').between(90 minutes, 1 day).max(property('x') as string) = \"b\"",
        "(trait('a') = 1 OR trait('b') != true) AND NOT (trait('c') > 1.5 AND trait('d').absent())",
        "trait('a').one_of('x', 'y').held_for(7 days)",
    ],
)
def test_the_canonical_form_is_what_one_would_write(text: str) -> None:
    assert format_condition(parse_condition(text)) == text.replace('"', "'")


def test_resolved_names_are_written_as_they_are_looked_up() -> None:
    assert format_scalar(ast.ComputedTrait("orders")) == "trait('orders')"
    assert format_scalar(ast.Membership("vip")) == "trait('segments.vip')"
