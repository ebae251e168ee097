"""Rows for the Storage Write API: what fits its table is encoded as it is, the rest refused with every reason."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from pipelines.io.bigquery.refused import KEPT_BYTES, refused_row, row_json
from pipelines.io.bigquery.rows import MAX_ROW_BYTES, RowEncoder, RowError
from schemas.tables import DELETIONS, FAILED_EVENTS, PROFILES, TABLES, Table
from tests.io.rows import NOON_US, block_value
from transforms.failed_events import failure_row


def row_of(table: Table, number: int) -> dict[str, Any]:
    return {column.name: block_value(column, number) for column in table.columns}


def decode(encoder: RowEncoder, name: str, encoded: bytes) -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="read.proto", syntax="proto2")
    file.message_type.append(encoder.descriptor)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name)).FromString(encoded)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_value_is_encoded(table: Table) -> None:
    encoder = RowEncoder(table, "append")
    for number in range(4):
        row = row_of(table, number)
        message = decode(encoder, table.name, encoder.encode(row, version=7, deleted=False, written_at=NOON_US))
        assert (message.row_version, message.row_deleted, message.row_written_at) == (7, False, NOON_US)
        for column in table.columns:
            value = row[column.name]
            if value is None:
                assert not message.HasField(column.name)
            elif column.repeated:
                assert list(getattr(message, column.name)) == value
            elif column.type == "DATE":
                assert getattr(message, column.name) == 3652 + number  # days since 1970 of 1980-01-01 and on
            else:
                assert getattr(message, column.name) == value


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_of_a_row_that_is_gone_only_the_key_counts(table: Table) -> None:
    encoder = RowEncoder(table, "append")
    row = row_of(table, 1)
    key = {name: row[name] for name in table.key}
    encoded = encoder.encode(key, version=7, deleted=True, written_at=NOON_US)
    assert encoded == encoder.encode(row, version=7, deleted=True, written_at=NOON_US)
    message = decode(encoder, table.name, encoded)
    assert {name: getattr(message, name) for name in table.key} == key
    assert message.row_deleted
    with pytest.raises(RowError, match=f"/{table.key[0]}: is missing"):
        encoder.encode({}, version=7, deleted=True, written_at=NOON_US)


def test_changes_of_the_layout_cdc() -> None:
    encoder = RowEncoder(DELETIONS, "cdc")
    row = row_of(DELETIONS, 1)
    upsert = decode(encoder, "deletions", encoder.encode(row, version=255, deleted=False, written_at=1))
    delete = decode(encoder, "deletions", encoder.encode(row, version=256, deleted=True, written_at=1))
    assert (upsert._CHANGE_TYPE, upsert._CHANGE_SEQUENCE_NUMBER) == ("UPSERT", "ff")
    assert (delete._CHANGE_TYPE, delete._CHANGE_SEQUENCE_NUMBER) == ("DELETE", "100")
    assert "row_version" not in [field.name for field in encoder.descriptor.field]


def test_all_violations_are_said() -> None:
    row = row_of(PROFILES, 1) | {
        "profile_id": None,
        "age": 3.5,
        "birthday": "1980-13-01",
        "latitude": float("nan"),
        "signed_up_at": 10**18,
        "traits": "{",
        "segments": ["a", 1],
        "nickname": "x",
    }
    with pytest.raises(RowError) as caught:
        RowEncoder(PROFILES, "append").encode(row, 1, False, 1)
    assert caught.value.errors == (
        "/nickname: expected no such column",
        "/profile_id: is missing, expected STRING",
        "/birthday: expected DATE",
        "/age: expected INTEGER",
        "/latitude: expected FLOAT",
        "/signed_up_at: expected TIMESTAMP",
        "/traits: expected JSON",
        "/segments: expected ARRAY of STRING",
    )


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("reason", 5),
        ("reason", "\ud800"),
        ("reason", b"text"),
        ("raw", "text"),
        ("received_at", True),
        ("received_at", "2026-01-01T00:00:00Z"),
        ("attributes", b"\xff"),
        ("attributes", '{"a":' * 501 + "1" + "}" * 501),
        ("errors", 5),
        ("errors", [None]),
        ("row_version", 1),
    ],
)
def test_a_wrong_value_is_refused(column: str, value: object) -> None:
    row = row_of(FAILED_EVENTS, 1)
    encoder = RowEncoder(FAILED_EVENTS, "append")
    encoder.encode(row, 1, False, 1)
    with pytest.raises(RowError, match=f"/{column}: expected"):
        encoder.encode(row | {column: value}, 1, False, 1)


def test_a_row_that_is_too_large_is_refused() -> None:
    encoder = RowEncoder(FAILED_EVENTS, "append")
    row = row_of(FAILED_EVENTS, 1)
    encoder.encode(row | {"raw": b"x" * (MAX_ROW_BYTES - 2000)}, 1, False, 1)
    with pytest.raises(RowError, match=r"9000\d\d\d bytes, expected at most 9000000"):
        encoder.encode(row | {"raw": b"x" * MAX_ROW_BYTES}, 1, False, 1)


def test_any_row_can_be_kept() -> None:
    assert row_json({"b": b"\xff", "a": [1, {2}]}) == b'{"a":[1,"{2}"],"b":"\\\\xff"}'


def test_a_refused_row_is_the_same_failure_whenever_it_was_made() -> None:
    row = row_of(PROFILES, 1)
    made = [refused_row("profiles", row | {"recorded_at": at}, ("/age: expected INTEGER",)) for at in (1, 2)]
    assert made[0] == made[1]
    assert b'"profile_id":"profile_id-00001"' in made[0].raw


def test_of_a_row_that_is_too_large_the_failure_keeps_the_key_and_fits() -> None:
    failure = refused_row("profiles", row_of(PROFILES, 1) | {"traits": "x" * KEPT_BYTES}, (": too large",))
    assert failure.raw == b'{"profile_id":"profile_id-00001"}'
    largest = refused_row("profiles", {"profile_id": "x" * (KEPT_BYTES - 17)}, (": too large",))
    assert len(largest.raw) == KEPT_BYTES
    row = dict(zip(FAILED_EVENTS.column_names(), failure_row(largest), strict=True))
    assert len(RowEncoder(FAILED_EVENTS, "append").encode(row, 1, False, 1)) < MAX_ROW_BYTES
