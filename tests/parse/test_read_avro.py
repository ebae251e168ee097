"""Avro: every record, whatever is wrong with its neighbours, and no byte lost."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import Event, Failure
from tests.parse.made_messages import NOON, NOON_US, parsed
from transforms.parse.avro import avro_messages

ENVELOPE = fastavro.schema.load_schema(Path(__file__).parents[2] / "schemas" / "envelope.avsc")
BLOCKS = 8


def container(rows: list[dict[str, Any]], schema: Any = ENVELOPE, codec: str = "null") -> bytes:
    file = io.BytesIO()
    fastavro.writer(file, schema, rows, codec=codec, sync_interval=1, sync_marker=b"synchronisation!")
    return file.getvalue()


def read(data: bytes) -> list[Event | Failure]:
    return parsed(avro_messages(io.BytesIO(data), "archive", {"file": "a"}), {"file": "a"})


def row(number: int = 1, **changes: Any) -> dict[str, Any]:
    base = {"messageId": f"m-{number}", "type": "track", "userId": "ada", "event": "Product Viewed", "timestamp": NOON}
    return base | {"properties": json.dumps({"price": number, "coupon": None})} | changes


GOOD = container([row(number) for number in range(BLOCKS)])


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz", "snappy"])
def test_every_record_is_read(codec: str) -> None:
    events = read(container([row(number) for number in range(BLOCKS)], codec=codec))
    assert [event.message_id for event in events] == [f"m-{number}" for number in range(BLOCKS)]
    assert events[1] == Event(
        "m-1",
        NOON_US,
        "track",
        "Product Viewed",
        "ada",
        None,
        None,
        None,
        None,
        b'{"price":1,"coupon":null}',
        None,
        None,
    )


def test_a_bad_record_is_json_to_repair_and_replay() -> None:
    bad, good = read(container([row(userId=None, properties='{ "b": null, "a": 1}'), row(2)]))
    assert isinstance(bad, Failure)
    assert (bad.reason, bad.message_id, bad.source, bad.attributes) == (
        "missing_identifier", "m-1", "archive", {"file": "a"}
    )  # fmt: skip
    expected = b'{"event":"Product Viewed","messageId":"m-1","properties":{ "b": null, "a": 1},'
    assert bad.raw == expected + b'"timestamp":"2027-03-01T12:00:00.000Z","type":"track"}'
    assert isinstance(good, Event)


@pytest.mark.parametrize("text", ["", "no", '{}, "userId": "eve"', "[1]", '"x"'])
def test_text_that_is_no_object_is_a_violation(text: str) -> None:
    (failure,) = read(container([row(properties=text)]))
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.errors) == ("schema_violation", ("/properties: expected object or null",))


def test_structures_and_typed_instants() -> None:
    product = {
        "type": "record",
        "name": "Product",
        "fields": [
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
            {"name": "name", "type": ["null", "string"]},
            {"name": "code", "type": "bytes"},
        ],
    }
    fields = [
        {"name": name, "type": "string"} for name in ("messageId", "type", "userId", "event")
    ] + [
        {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "properties", "type": product},
        {"name": "context", "type": {"type": "map", "values": "string"}},
    ]  # fmt: skip
    schema = fastavro.parse_schema({"type": "record", "name": "Message", "fields": fields})
    record = row() | {
        "timestamp": datetime(2027, 3, 1, 12, 0, 0, 1, UTC),
        "properties": {"price": Decimal("129.95"), "name": None, "code": b"\xff"},
        "context": {"locale": "en"},
    }
    (event,) = read(container([record], schema))
    assert isinstance(event, Event)
    assert event.timestamp == NOON_US + 1
    assert json.loads(event.properties or b"") == {"price": 129.95, "code": "/w=="}
    assert event.context == b'{"locale":"en"}'


def test_text_that_is_not_utf8_costs_one_record() -> None:
    bad, good = read(container([row(userId="zoë"), row(2)]).replace("zoë".encode(), b"zo\xff\xff"))
    assert isinstance(bad, Failure)
    assert (bad.reason, b"zo\xff\xff" in bad.raw) == ("not_utf8", True)
    assert isinstance(good, Event)


@pytest.mark.parametrize("data", [b"", b"Obj", b"{}", b"\x00" * 100, GOOD[:20]])
def test_a_file_that_is_no_avro_is_one_failure(data: bytes) -> None:
    (failure,) = read(data)
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.raw, failure.stage) == ("malformed_avro", data, "parse")


def test_records_that_are_no_records() -> None:
    (failure,) = read(container([5], "int"))  # type: ignore[list-item]
    assert isinstance(failure, Failure)
    assert failure.reason == "malformed_avro"


def test_reading_goes_on_after_a_damaged_block() -> None:
    blocks = GOOD.split(b"synchronisation!")
    damaged = blocks[4][:1] + b"\x03" + blocks[4][2:]  # its size is now negative
    data = b"synchronisation!".join([*blocks[:4], damaged, *blocks[5:]])
    results = read(data)
    failures = [result for result in results if isinstance(result, Failure)]
    assert [failure.raw for failure in failures] == [damaged + b"synchronisation!"]
    start = data.index(damaged)
    place = f": bytes {start} to {start + len(damaged) + 16} of the file cannot be read"
    assert failures[0].errors[0].startswith(place)
    assert len(results) - 1 == BLOCKS - 1


def test_a_long_stretch_is_handed_on_in_parts() -> None:
    data = b"\x01" * (2 * 1024 * 1024 + 5)
    failures = read(data)
    assert b"".join(failure.raw for failure in failures if isinstance(failure, Failure)) == data
    assert [len(failure.raw) for failure in failures if isinstance(failure, Failure)] == [1024 * 1024, 1024 * 1024, 5]


@given(st.integers(0, len(GOOD)))
def test_a_cut_off_file_loses_no_byte(length: int) -> None:
    results = read(GOOD[:length])
    failures = [result for result in results if isinstance(result, Failure)]
    whole = len(GOOD[:length].split(b"synchronisation!")) - 2
    assert len(results) - len(failures) == max(whole, 0)
    if failures:
        assert GOOD[:length].endswith(failures[-1].raw)


@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_damage_costs_no_more_than_its_block(position: int, insert: bytes, remove: int) -> None:
    results = read(GOOD[:position] + insert + GOOD[position + remove :])
    header = GOOD.index(b"synchronisation!") + 16
    if position >= header:
        untouched = {f"m-{number}" for number in range(BLOCKS)}
        found = {result.message_id for result in results if isinstance(result, Event)}
        assert len(untouched - found) <= 2  # two where a synchronisation marker is hit
    assert results
