"""Parquet: text or structs, text or TIMESTAMP columns, and damage that costs one row group."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.event import Event, Failure
from tests.parse.made_messages import NOON, NOON_US, parsed
from transforms.parse.parquet import batch_messages, parquet_messages

COLUMNS: dict[str, list[Any]] = {
    "messageId": ["m-1", "m-2", "m-3"],
    "type": ["track", "identify", "track"],
    "userId": ["ada", "ada", None],
    "event": ["Product Viewed", None, "Product Viewed"],
    "timestamp": [NOON, NOON, NOON],
    "properties": ['{"price": 5, "coupon": null}', None, "{}"],
    "traits": [None, '{"vip": null}', None],
}


def file_of(table: pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def read(data: bytes) -> list[Event | Failure]:
    return parsed(parquet_messages(io.BytesIO(data), "archive"))


def test_json_text_columns() -> None:
    track, identify, nobody = read(file_of(pa.table(COLUMNS)))
    assert isinstance(track, Event)
    assert (track.timestamp, track.name, track.properties) == (NOON_US, "Product Viewed", b'{"price":5,"coupon":null}')
    assert isinstance(identify, Event)
    assert (identify.traits, identify.properties) == (b'{"vip":null}', None)
    assert isinstance(nobody, Failure)
    assert (nobody.reason, nobody.message_id) == ("missing_identifier", "m-3")
    assert nobody.raw == (
        b'{"event":"Product Viewed","messageId":"m-3","properties":{},'
        b'"timestamp":"2027-03-01T12:00:00.000Z","type":"track"}'
    )


def test_structs_and_maps_leave_out_what_is_null() -> None:
    products = pa.list_(pa.struct({"sku": pa.string(), "price": pa.float64()}))
    properties = pa.array(
        [{"price": 5.0, "coupon": None, "products": [{"sku": "a", "price": None}]}, None, None],
        pa.struct({"price": pa.float64(), "coupon": pa.string(), "products": products}),
    )  # fmt: skip
    context = pa.array([[("locale", "en")], None, None], pa.map_(pa.string(), pa.string()))
    track = read(file_of(pa.table(COLUMNS | {"properties": properties, "context": context})))[0]
    assert isinstance(track, Event)
    assert track.properties == b'{"price":5.0,"products":[{"sku":"a"}]}'
    assert track.context == b'{"locale":"en"}'


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_timestamp_columns(unit: str, zone: str | None) -> None:
    noon = datetime(2027, 3, 1, 12, tzinfo=UTC)
    instants = pa.array([noon] * 3, pa.timestamp(unit, "UTC")).cast(pa.int64()).cast(pa.timestamp(unit, zone))
    track = read(file_of(pa.table(COLUMNS | {"timestamp": instants})))[0]
    assert isinstance(track, Event)
    assert track.timestamp == NOON_US


def test_nanoseconds_are_cut_off() -> None:
    instants = pa.array([NOON_US * 1000 + 1999] * 3, pa.timestamp("ns", "UTC"))
    track = read(file_of(pa.table(COLUMNS | {"timestamp": instants})))[0]
    assert isinstance(track, Event)
    assert track.timestamp == NOON_US + 1


def test_text_that_is_not_utf8_costs_one_row() -> None:
    names = pa.array([b"Product Viewed", None, b"\xff"], pa.binary())
    binary = pa.RecordBatch.from_pydict(COLUMNS | {"event": names})
    column = pa.Array.from_buffers(pa.string(), 3, names.buffers())
    batch = binary.set_column(binary.schema.get_field_index("event"), "event", column)
    first, second, third = parsed(batch_messages(batch, "archive"))
    assert isinstance(first, Event)
    assert isinstance(second, Event)
    assert isinstance(third, Failure)
    assert third.reason == "not_utf8"
    assert b'"event":"\xff","messageId":"m-3"' in third.raw


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1PAR1", b"{}", file_of(pa.table(COLUMNS))[:-3]])
def test_a_file_that_is_no_parquet_is_one_failure(data: bytes) -> None:
    (failure,) = read(data)
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.raw) == ("malformed_parquet", data)


def test_a_damaged_row_group_costs_itself() -> None:
    rows = COLUMNS | {"userId": ["ada", "bob", "eve"]}
    data = bytearray(file_of(pa.table(rows), row_group_size=1, compression="gzip"))
    column = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(1).column(0)
    start = column.dictionary_page_offset
    data[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    first, second, third = read(bytes(data))
    assert isinstance(first, Event)
    assert isinstance(third, Event)
    assert isinstance(second, Failure)
    assert (second.reason, second.raw in data) == ("malformed_parquet", True)
    assert second.raw.startswith(b"\xff" * column.total_compressed_size)
