"""What is read many at once is what is read one by one: the compiled reader against the parser it stands in for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import Event, Failure
from schemas.tracking_plan import load_tracking_plan
from tests.parse.made_messages import message
from tests.parse.nearly_good import raw_message
from transforms.columns.events import records_of
from transforms.parse import EventParser, plain_events
from transforms.parse.collect import collect
from transforms.parse.lines import Lines
from transforms.parse.plain_events import PYTHON_ONLY, picked

PLAN = load_tracking_plan()
PARSERS = (
    EventParser(PLAN),
    EventParser(PLAN, frozenset({"Kunde", "ada"}), unplanned="fail", epoch="seconds", violations="drop"),
    EventParser(PLAN, max_event_bytes=300),
)


def taken(parser: EventParser, raws: Iterable[bytes]) -> tuple[dict[int, tuple[Any, ...]], EventParser]:
    """The events that are read at once, by their places; and the parser."""
    reader = parser.plain_reader()
    assert reader is not None
    messages: list[bytes | Failure] = [*raws]
    count, others = reader.read(messages, 0)
    assert count == len(messages)
    assert all(messages[number] == other for number, other in others)
    left = [number for number, _ in others]
    columns = reader.take()
    columns.events.validate(full=True)
    places = columns.numbers.tolist()
    assert sorted([*places, *left]) == [*range(len(messages))]
    return dict(zip(places, records_of(pa.Table.from_batches([columns.events])), strict=True)), parser


def check(parser: EventParser, raws: list[bytes]) -> int:
    found, _ = taken(parser, raws)
    for place, event in found.items():
        expected = parser.parse(raws[place], "test")
        assert isinstance(expected, Event), (raws[place], expected)
        assert event == tuple(expected), raws[place]
    return len(found)


@settings(deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(PARSERS))
def test_what_is_taken_is_what_the_parser_says(seed: int, parser: EventParser) -> None:
    check(parser, [raw_message(seed + number) for number in range(100)])


@pytest.mark.long
@pytest.mark.parametrize("start", range(0, 2_000_000, 20_000))
def test_what_is_taken_is_what_the_parser_says_of_many(start: int) -> None:
    for parser in PARSERS:
        check(parser, [raw_message(seed) for seed in range(start, start + 20_000)])


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=20), st.randoms(use_true_random=False))
def test_any_bytes_are_looked_at(raws: list[bytes], random: Any) -> None:
    good = orjson.dumps(message())
    cut = [good[: random.randint(0, len(good))] + raw + good[random.randint(0, len(good)) :] for raw in raws]
    check(PARSERS[0], [*raws, *cut])


def test_nearly_all_good_events_are_taken() -> None:
    raws = [raw_message(seed) for seed in range(3_000)]
    good = [raw for raw in raws if isinstance(PARSERS[0].parse(raw, "test"), Event)]
    assert len(good) > 1_500
    assert check(PARSERS[0], good) > 0.6 * len(
        good
    )  # the others have numbers that may be written shorter, names twice and such


def test_the_example_events_are_taken() -> None:
    lines = [
        line for file in sorted(Path("examples/events").glob("*.ndjson")) for line in file.read_bytes().splitlines()
    ]
    assert lines
    good = [line for line in lines if isinstance(PARSERS[0].parse(line, "test"), Event)]
    assert check(PARSERS[0], good) > 0.98 * len(good)


@pytest.mark.parametrize(
    "properties",
    [
        {"type": "object", "properties": {"size": {"enum": [1, "L", None]}}},
        {"type": "object", "properties": {"size": {"type": "integer", "minimum": 3}}},
        {"type": "object", "properties": {"size": {"type": "string", "minLength": 2}}},
        {"type": "object", "properties": {"size": {"type": ["integer", "string"], "minLength": 1}}},
        {"type": "object", "properties": {"size": True}, "additionalProperties": False},
        {"type": "object", "properties": {"size": False}},
        {"type": "object", "required": ["size"]},
        {"allOf": [{"required": ["size"]}, {"properties": {"size": {"type": ["string", "number"]}}}, True]},
        {"type": "object", "allOf": [{"properties": {"size": {"maximum": 3}}}], "properties": {"size": {"minimum": 2}}},
        {"type": "object", "properties": {"size": {"allOf": [{"type": "string"}, {"enum": ["L", 1]}]}}},
        {"type": "object", "required": ["size", "color"], "properties": {"size": {"type": "number"}}},
        {"type": "object", "anyOf": [{"required": ["size"]}, {"required": ["color"]}]},
        {"type": "object", "properties": {"inner": {"$ref": "#"}, "size": {"type": "number"}}, "required": ["size"]},
        {"type": "object", "properties": {"size": {"$ref": "#/$defs/a~1b%20c"}}, "$defs": {"a/b c": {"type": "null"}}},
        {"type": "object", "properties": {"size": {"$ref": "_shared.json#/$defs/code", "minLength": 1}}},
        {"type": "object", "properties": {"inner": {"type": "array", "items": {"required": ["size"]}}}},
        {"type": "object", "properties": {"size": {"if": {"type": "object"}, "then": {"required": ["a"]}}}},
        {
            "type": "object",
            "properties": {"size": {"$ref": "#/$defs/x", "type": "string"}},
            "$defs": {"x": {"type": ["string", "number"]}},
        },
    ],
)
def test_any_schema_says_the_same(properties: dict[str, Any], tmp_path: Path) -> None:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Sized", **properties}
    (tmp_path / "sized.json").write_bytes(orjson.dumps(schema))
    (tmp_path / "_shared.json").write_bytes(
        orjson.dumps({"$schema": schema["$schema"], "$defs": {"code": {"type": "string"}}})
    )
    parser = EventParser(load_tracking_plan(tmp_path))
    values: list[Any] = [
        1,
        2.5,
        3.0,
        4,
        "",
        "L",
        "XL",
        None,
        True,
        [],
        [1],
        {},
        {"a": 1},
        {"size": 2},
        [{"size": 1}, {}],
    ]
    given = [{"size": value} for value in values] + [{"inner": value} for value in values]
    given += [
        {},
        {"color": 1},
        {"size": 1, "color": 2, "x": 3},
        {"size": 1, "inner": {"size": 2, "inner": {"size": "x"}}},
    ]
    raws = [orjson.dumps(message(event="Sized", properties=one)) for one in (*given, None, ...)]
    good = sum(isinstance(parser.parse(raw, "test"), Event) for raw in raws)
    assert check(parser, raws) >= good - 1  # 3.0 is an integer


def test_names_without_a_schema_are_counted() -> None:
    raws = [orjson.dumps(message(event=name)) for name in ("A", "B", "A", "Product Viewed")]
    raws += [orjson.dumps(message(type="page", name="C"))]
    reader = (parser := EventParser(PLAN)).plain_reader()
    assert reader is not None
    assert reader.read([*raws], 0) == (5, [])
    parser.count_unplanned(reader.take().unplanned)
    assert parser.unplanned_counts == {"A": 2, "B": 1}
    assert reader.take().unplanned == {}


def test_nothing_is_read_at_once_where_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON_ONLY, "1")
    assert EventParser(PLAN).plain_reader() is None


def test_a_reader_begins_anew_when_its_events_are_taken() -> None:
    reader = EventParser(PLAN).plain_reader()
    assert reader is not None
    for number in range(3):
        raw = orjson.dumps(message(messageId=f"m-{number}"))
        assert reader.read([b"no event", raw], 5) == (2, [(0, b"no event")])
        assert reader.held_bytes == len(raw)
        columns = reader.take()
        assert (columns.numbers.tolist(), columns.events.column("message_id").to_pylist()) == ([6], [f"m-{number}"])
    assert (reader.held_bytes, reader.take().events.num_rows) == (0, 0)


def test_an_error_on_the_way_leaves_no_half_of_an_event() -> None:
    class StrangeError(Exception):
        pass

    def strange(text: str) -> int:
        raise StrangeError(text)

    arguments = (*EventParser(PLAN).plain_settings()._arguments,)
    reader = plain_events.PlainReader(plain_events.Reader(*arguments[:5], strange, *arguments[6:]))
    assert reader.read([orjson.dumps(message())], 0) == (1, [])
    with pytest.raises(StrangeError):
        reader.read([orjson.dumps(message(timestamp="2027-03-01T13:00:00+01:00"))], 0)
    assert reader.take().events.num_rows == 0


_LINE = st.one_of(
    st.integers(0, 10**9).map(raw_message), st.binary(max_size=6), st.sampled_from([b"", b" \v\f", b"\r"])
)


@settings(deadline=None)
@given(st.lists(_LINE.map(lambda line: line.replace(b"\n", b" ")), min_size=1), st.sampled_from([b"\n", b"\r\n"]))
def test_lines_are_read_as_if_they_had_been_cut_apart(lines: list[bytes], ending: bytes) -> None:
    data = b"".join(line + ending for line in lines)
    cut = [*Lines(data)]
    one, other = PARSERS[0].plain_reader(), PARSERS[0].plain_reader()
    assert one is not None
    assert other is not None
    assert one.read(Lines(data), 7) == other.read(cut, 7)
    found, expected = one.take(), other.take()
    assert found.events.equals(expected.events)
    assert found.numbers.tolist() == expected.numbers.tolist()
    places = np.arange(len(lines) + 3)[:: 1 + len(lines) % 3]
    assert picked(Lines(data), places) == picked(cut, places)


@pytest.mark.parametrize("python_only", [False, True])
def test_messages_are_collected_the_same_way(python_only: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if python_only:
        monkeypatch.setenv(PYTHON_ONLY, "1")
    raws = [raw_message(seed) for seed in range(400)]
    (collected,) = collect(parser := EventParser(PLAN), [raws[:150], raws[150:]], "test", 4)
    parsed = [EventParser(PLAN).parse(raw, "test") for raw in raws]
    assert collected.read == len(raws)
    assert sorted(collected.failures) == sorted(one for one in parsed if isinstance(one, Failure))
    assert parser.unplanned_counts
