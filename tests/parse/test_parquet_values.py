"""Values of Parquet that Python or JSON has no word for."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.event import Event, Failure
from tests.parse.made_messages import NOON, parsed
from transforms.parse.parquet import batch_messages, parquet_messages

BASE = {"messageId": ["m-1"], "type": ["track"], "userId": ["ada"], "event": ["Seen"], "timestamp": [NOON]}
_YEAR_58205_US = 1_774_605_239_123_000_000


def properties_of(value: pa.Array) -> Any:
    """What a value inside `properties` is read as, through a file."""
    file = io.BytesIO()
    table = pa.table(BASE | {"properties": pa.StructArray.from_arrays([value], ["x"]), "unread": value})
    pq.write_table(table, file, store_schema=True)
    (event,) = parsed(parquet_messages(file, "x"))
    assert isinstance(event, Event), event
    return json.loads(event.properties or b"{}").get("x")


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (pa.array([1_774_605_239_123_456_789], pa.timestamp("ns")), "2026-03-27T09:53:59.123456Z"),
        (pa.array([1_774_605_239_000], pa.timestamp("ms", "Nowhere/Town")), "2026-03-27T09:53:59Z"),
        (pa.array([-1], pa.timestamp("ns", "UTC")), "1969-12-31T23:59:59.999999Z"),
        (pa.array([_YEAR_58205_US], pa.timestamp("us")), "+58205-01-01T11:45:23Z"),
        (pa.array([20_544], pa.date32()), "2026-04-01"),
        (pa.array([3_000_000], pa.date32()), "+10183-09-21"),
        (pa.array([1_500_000_001], pa.duration("ns")), 1.500000001),
        (pa.array([2_000_000], pa.duration("us")), 2),
        (pa.array([1_000_000_001], pa.time64("ns")), "00:00:01"),
        (pa.array([1_500], pa.time32("ms")), "00:00:01.500000"),
        (pa.array([Decimal("129.95")], pa.decimal128(9, 2)), 129.95),
        (pa.array([b"\xff"], pa.binary()), "/w=="),
        (pa.array([[None, "a"]], pa.list_(pa.string())), [None, "a"]),
        (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), [1, 2]),
        (pa.array([[]], pa.large_list(pa.int8())), []),
        (pa.array([[("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int8())), {"a": 2}),
        (pa.array([[({"k": 1}, 2)]], pa.map_(pa.struct({"k": pa.int8()}), pa.int8())), {'{"k":1}': 2}),
        (pa.array([[{"a": 1, "b": [{"c": 1}]}, {"a": None, "b": []}]]), [{"a": 1, "b": [{"c": 1}]}, {"b": []}]),
        (pa.array(["a"]).dictionary_encode(), "a"),
        (pa.array([float("nan")]), None),
    ],
)  # fmt: skip
def test_what_a_value_is_read_as(value: pa.Array, read: object) -> None:
    assert properties_of(value) == read


def test_int96_holds_any_year() -> None:
    file = io.BytesIO()
    instants = pa.array([10_413_792_000_000_000], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table(BASE | {"timestamp": instants}), file, use_deprecated_int96_timestamps=True)
    (event,) = parsed(parquet_messages(file, "x"))
    assert isinstance(event, Event)
    assert event.timestamp == 10_413_792_000_000_000


def nested(depth: int) -> pa.Array:
    array = pa.array([1], pa.int8())
    for _ in range(depth):
        array = pa.StructArray.from_arrays([array], ["x"])
    return array


@pytest.mark.parametrize("depth", [100, 300, 900])
def test_depth_costs_its_row_where_it_is_read(depth: int) -> None:
    batch = pa.RecordBatch.from_pydict(BASE | {"unread": nested(depth)})
    assert isinstance(parsed(batch_messages(batch, "x"))[0], Event)
    read = pa.RecordBatch.from_pydict(BASE | {"properties": nested(depth)})
    (result,) = parsed(batch_messages(read, "x"))
    assert isinstance(result, Event) == (depth < 250)
    if isinstance(result, Failure):
        assert result.reason == "malformed_parquet"
        assert result.errors[0].startswith("/properties: expected a value that JSON can say")


def test_slices_are_read_where_they_are() -> None:
    maps = pa.array([[("a", 1)], None, [("b", 2), ("c", 3)], []], pa.map_(pa.string(), pa.int8()))
    lists = pa.array([[{"a": 1}], None, [{"a": 2}, {"a": 3}], []])
    names = {name: [values[0]] * 4 for name, values in BASE.items()}
    batch = pa.RecordBatch.from_pydict(names | {"context": maps, "traits": pa.StructArray.from_arrays([lists], ["l"])})
    for start in range(4):
        rows = [json.loads(m) for m in batch_messages(batch.slice(start), "x") if isinstance(m, bytes)]
        contexts = [{"a": 1}, None, {"b": 2, "c": 3}, {}]
        assert [row.get("context") for row in rows] == contexts[start:]
        assert [row["traits"].get("l") for row in rows] == [[{"a": 1}], None, [{"a": 2}, {"a": 3}], []][start:]
