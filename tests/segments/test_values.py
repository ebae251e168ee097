"""Values of rules, told as stories: money, visits, events without a name, typed columns."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import Event
from schemas.instants import parse_instant_us
from transforms.profiles.normalize.dates import normalise_instant
from transforms.profiles.rows import json_object
from transforms.segments.accumulators.accumulator import Active
from transforms.segments.compiler import compile_program
from transforms.segments.language import ast
from transforms.segments.language.definitions import load_definitions
from transforms.segments.language.parser import parse_scalar
from transforms.segments.reducers import accumulator, compile_reducer, operand_reader
from transforms.segments.replay import ReplayResult, replay

START = parse_instant_us("2026-03-01T00:00:00Z")
MINUTE = 60_000_000
HOUR = 60 * MINUTE


def event(place: int, at: int, kind: str, name: str = "", **said: Any) -> Event:
    """An event `at` microseconds after the start; `said` are its properties, or an identify's traits."""
    text = json.dumps(said.pop("said", {})).encode()
    context = json.dumps(said["context"]).encode() if "context" in said else None
    properties, traits = (None, text) if kind == "identify" else (text, None)
    return Event(f"m{place:03}", START + at, kind, name, "u", None, None, None, None, properties, traits, context)


def orders(*totals: Any) -> list[Event]:
    return [event(n, n * HOUR, "track", "Order Completed", said={"total": total}) for n, total in enumerate(totals)]


def outcome(folder: Path, events: list[Event], as_of: int, **rules: str) -> ReplayResult:
    """What rules (`s...`) and computed traits (`t...`) come to."""
    for kind, key in (("s", "when"), ("t", "value")):
        (folder / kind).mkdir(exist_ok=True)
        for name, text in rules.items():
            if name.startswith(kind):
                (folder / kind / f"{name}.yaml").write_text(json.dumps({"description": "x", key: text}))
    program = compile_program(load_definitions(folder / "s", folder / "t").definitions)
    return replay(program, "user:u", events, START + as_of)


def stays(result: ReplayResult) -> list[tuple[str, int, int | None]]:
    """(segment, minute of entry, minute of exit)."""
    return [
        (one.segment, (one.entered_at - START) // MINUTE, one.exited_at and (one.exited_at - START) // MINUTE)
        for one in result.memberships
    ]


@pytest.mark.parametrize(
    ("totals", "total"),
    [
        ((6.89, 12.54, 80.57), 100),
        ((0.1, 0.2), 0.3),
        (("0.1", "0.2"), 0.3),
        ((1e308, 1e308, -1e308, -1e308), 0),
        ((1e308, 1e308), None),
        (("1e400",), None),
        (("1e400", "-1e400", "2.5"), 2.5),
        (("1e99999999",), None),
        (("1e-99999999", 1), 1),
        ((9223372036854775807,) * 3, 2.7670116110564327e19),
        ((-(2**63), -(2**63)), -1.8446744073709552e19),
        ((9223372036854775807, 1), 2**63),
        ((5e-324, 5e-324), 1e-323),
        (("12345678901234567.01", "0.01"), 12345678901234567.02),
        ((True, None, "x", 3), 3),
        ((), 0),
    ],
)
def test_sums_are_decimal_as_they_are_written(tmp_path: Path, totals: tuple[Any, ...], total: Any) -> None:
    events = [event(999, 0, "page"), *orders(*totals)]
    text = "event('Order Completed').sum(property('total'))"
    window = text.replace(".sum", ".within(90 days).sum")
    found = outcome(tmp_path, events, 99 * HOUR, t1=text, t2=window, s1=f"{text} >= 100", s2=f"{window} >= 100")
    assert found.computed == {"t1": total, "t2": total}
    json_object(found.computed)
    expected = {"s1", "s2"} if total is not None and total >= 100 else set()
    assert {one.segment for one in found.memberships if one.exited_at is None} == expected


def test_a_mean_is_rounded_once(tmp_path: Path) -> None:
    found = outcome(tmp_path, orders(0.1, 0.2, 0.3), 99 * HOUR, t1="event('Order Completed').avg(property('total'))")
    assert found.computed == {"t1": 0.2}


NUMBERS = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(-(10**30), 10**30, allow_nan=False, places=3).map(str),
    st.integers(-(10**6), 10**6).map(lambda cents: cents / 100),
)


@given(st.lists(NUMBERS, max_size=12), st.data())
def test_what_leaves_a_window_leaves_no_trace(numbers: list[Any], data: st.DataObject) -> None:
    """Whatever the order and the sizes: the running sum is the exact one of what is in."""
    reduced = parse_scalar("event('A').within(1 day).sum(property('x'))")
    assert isinstance(reduced, ast.Reduced)
    assert reduced.field is not None
    read, running = operand_reader(reduced, reduced.field), accumulator(reduced, endless=False)
    entries = [(n, f"m{n}", read(number) or ()) for n, number in enumerate(numbers)]
    left = data.draw(st.integers(0, len(entries)))
    active, sums = Active(), running.empty()
    for entry in entries:
        running.add(active, sums, entry)
    for _ in range(left):
        running.expire(active, sums)
    exact = sum((Fraction(text if isinstance(text, str) else repr(text)) for text in numbers[left:]), Fraction(0))
    try:
        expected: float | None = float(exact)
    except OverflowError:
        expected = None
    value = running.value(active, sums)
    assert value == compile_reducer(reduced)(entries[left:])
    assert value == (exact if type(value) is int else expected)


def test_long_whole_numbers_in_arrays_that_a_trait_collects(tmp_path: Path) -> None:
    long = int("9" * 30)
    events = [event(n, n * HOUR, "track", "A", said={"list": [long, 1, 1.0]}) for n in range(3)]
    found = outcome(tmp_path, events, 9 * HOUR, t1="event('A').unique(property('list'))")
    assert json.loads(json_object(found.computed)) == {"t1": [[1e30, 1, 1.0]]}


def test_a_gap_of_exactly_the_length_begins_a_session(tmp_path: Path) -> None:
    times = (0, 29 * MINUTE, 59 * MINUTE, 60 * MINUTE + 1)
    events = [event(n, at, "page", "Home") for n, at in enumerate(times)]
    found = outcome(
        tmp_path, events, HOUR * 2, t1="page().sessions(30 minutes)", t2="activity().time_spent(30 minutes)"
    )
    assert found.computed == {"t1": 2, "t2": 1800.000001}


def test_sessions_of_a_window_are_those_of_the_events_that_count(tmp_path: Path) -> None:
    """The first event joins the second, and leaves; then the second begins the session."""
    times = (0, 20 * MINUTE, 40 * MINUTE)
    events = [event(n, at, "screen", "Home") for n, at in enumerate(times)]
    rules = {
        "s1": "screen().within(1 hour).time_spent(30 minutes) >= 2400",
        "s2": "screen().within(1 hour).sessions(30 minutes) = 1",
    }
    found = outcome(tmp_path, events, 3 * HOUR, **rules)
    assert stays(found) == [("s2", 0, 100), ("s1", 40, 60)]


def test_an_event_that_a_where_takes_out_of_the_middle_parts_a_session(tmp_path: Path) -> None:
    times = (0, 20 * MINUTE, 40 * MINUTE)
    events = [event(n, at, "page", "Home", said={"n": n}) for n, at in enumerate(times)]
    events.append(event(9, 50 * MINUTE, "track", "Undo", said={"n": 1}))
    undone = "event('Undo').where(property('n') = property(parent: 'n')).count() = 0"
    found = outcome(tmp_path, events, HOUR, s1=f"page().where({undone}).sessions(30 minutes) >= 2")
    assert stays(found) == [("s1", 50, None)]


def test_events_without_a_name_are_all_of_their_type(tmp_path: Path) -> None:
    events = [
        event(0, 0, "identify", said={"a": 1}),
        event(1, 1 * MINUTE, "track", "A"),
        event(2, 2 * MINUTE, "page", "Home"),
        event(3, 3 * MINUTE, "screen"),
        event(4, 4 * MINUTE, "track", "B"),
        event(5, 5 * MINUTE, "group"),
    ]
    rules = {"t1": "event()", "t2": "page()", "t3": "screen()", "t4": "activity()", "t5": "event('A')"}
    found = outcome(tmp_path, events, HOUR, **{name: f"{text}.count()" for name, text in rules.items()})
    assert found.computed == {"t1": 2, "t2": 1, "t3": 1, "t4": 4, "t5": 1}


def test_a_column_in_a_rule_is_what_the_table_would_hold_at_that_instant(tmp_path: Path) -> None:
    events = [
        event(0, 0, "identify", said={"Country": "usa"}),
        event(1, 1 * MINUTE, "identify", said={"phone": "(202) 555-0143"}),
        event(2, 2 * MINUTE, "identify", said={"address": {"country": "Germany"}}),
        event(3, 3 * MINUTE, "identify", said={"country": None, "tags": ["vip", "b2b"]}),
        event(4, 4 * MINUTE, "page", context={"device": {"type": "iPhone"}}),
    ]
    rules = {
        "s1": "profile('country') = 'US'",
        "s2": "profile('phone').exists()",
        "s3": "profile('tags').contains('vip')",
        "s4": "profile('device_type') = 'ios'",
        "s5": "NOT profile('country').exists()",
    }
    found = outcome(tmp_path, events, HOUR, **rules)
    assert stays(found) == [
        ("s1", 0, 2),
        ("s2", 1, 3),  # dialled in no country it is no number
        ("s3", 3, None),
        ("s5", 3, None),
        ("s4", 4, None),
    ]
    assert [one.message_ids for one in found.memberships] == [("m000",), ("m001",), ("m003",), ("m003",), ("m004",)]


def test_dates_of_columns_are_dates(tmp_path: Path) -> None:
    events = [event(0, 0, "identify", said={"created_at": 1771581600, "birthday": "1990-05-17"})]
    rules = {
        "s1": "profile('signed_up_at').after_date('2026-02-20T09:59:59Z')",
        "s2": "profile('birthday').before_date(2000-01-01)",
        "s3": "profile('signed_up_at').within_last(9 days)",
        "s4": "trait('created_at').after_date(2026-01-01)",
    }
    assert stays(outcome(tmp_path, events, HOUR, **rules)) == [(f"s{number}", 0, None) for number in range(1, 5)]


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-20",
        "2026-02-20T10:00:00z",
        "2026-02-19T24:00:00Z",
        "2026-051",
        1771581600,
        1771581600.5,
        1771581600000,
        1771581600000000,
        "1771581600",
        "1771581600000",
    ],
)
def test_traits_are_dates_as_the_column_reads_them(tmp_path: Path, text: Any) -> None:
    assert normalise_instant(text) is not None
    events = [event(0, 0, "identify", said={"created_at": text})]
    assert stays(outcome(tmp_path, events, HOUR, s1="trait('created_at').after_date('2026-01-15')"))


@pytest.mark.parametrize(
    "text", ["2026-02", "2026", "2026-W08", "T10", "soon", 99999999, 4102444800, -1771581600, True, 1e300]
)
def test_what_is_no_date(tmp_path: Path, text: Any) -> None:
    events = [event(0, 0, "identify", said={"created_at": text})]
    assert not stays(outcome(tmp_path, events, HOUR, s1="trait('created_at').after_date('1970-01-15')"))
