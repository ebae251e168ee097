"""Tables read back from where a job wrote them."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import duckdb
import orjson
import pyarrow as pa
import pytest
from apache_beam.testing.util import assert_that, equal_to

from pipelines.io.locations import DuckDBInput
from pipelines.io.outputs import DuckDBOutput, FilesOutput, Output
from pipelines.io.tables.query import open_tables
from pipelines.io.tables.read_back import read_batches, read_table, to_owned_events
from pipelines.io.tables.read_events import ReadTables
from pipelines.io.tables.write_tables import WriteTables
from schemas.arrow import arrow_schema
from schemas.block import TableBlock
from schemas.duckdb import create_all
from schemas.errors import OutputError
from schemas.event import Event
from schemas.tables import EVENTS, PROFILES, TABLES
from schemas.tracking_plan import load_tracking_plan
from tests.io.rows import NOON_US, example_blocks, expected_rows
from transforms.columns.blocks import unpack
from transforms.columns.events import EVENT_FIELDS, OWNER, records_of
from transforms.parse import EventParser
from transforms.records import Record
from transforms.records import unpack as unpack_records


@pytest.fixture(params=["duckdb", "files"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Output:
    made: Output = (
        DuckDBOutput(str(tmp_path / "o.duckdb")) if request.param == "duckdb" else FilesOutput(str(tmp_path / "o"))
    )
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        _ = (pipeline | beam.Create(example_blocks()),) | WriteTables(made)
    return made


def test_every_table_is_read_as_it_was_written(output: Output) -> None:
    for table in TABLES:
        found = read_table(output, table)
        assert found.schema.equals(arrow_schema(table))
        rows = zip(*[column.to_pylist() for column in found.columns], strict=True)
        assert list(rows) == expected_rows(table)


def test_events_are_events(output: Output) -> None:
    parts = [part for batch in read_batches(output, EVENTS) for part in to_owned_events(batch)]
    events = {event.message_id: event for part in parts for event in map(Event._make, records_of(part))}
    assert len(events) == 12
    event = events["message_id-00002"]
    assert (event.timestamp, event.received_at) == (NOON_US + 2_000_002, NOON_US + 2_000_002)
    assert (event.type, event.name, event.user_id) == ("type-00002", "event-00002", "user_id-00002")
    assert event.properties == '{"number":2,"text":"é"}'.encode()
    empty = events["message_id-00003"]
    assert (empty.name, empty.received_at, empty.properties, empty.user_id) == ("", None, None, None)


def test_events_stand_with_their_owners_users_and_devices_apart() -> None:
    columns: dict[str, list[object]] = {field.name: [None, None] for field in EVENT_FIELDS if field.name != "name"}
    columns |= {"message_id": ["m1", "m2"], "timestamp": [NOON_US, NOON_US], "type": ["page", "page"]}
    columns |= {"profile_id": ["anon:user:a", "user:anon:b"], "event": [None, "Home"]}
    users, devices = to_owned_events(pa.RecordBatch.from_pydict(columns))
    assert [part.select(["message_id", "name", OWNER.name]).to_pylist() for part in (users, devices)] == [
        [{"message_id": "m2", "name": "Home", "owner": "anon:b"}],
        [{"message_id": "m1", "name": "", "owner": "user:a"}],
    ]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no such file"):
        read_table(DuckDBOutput(str(tmp_path / "no.duckdb")), PROFILES)
    with pytest.raises(OutputError, match="there is no profiles/"):
        read_table(FilesOutput(str(tmp_path)), PROFILES)
    with duckdb.connect(str(tmp_path / "other.duckdb")) as connection:
        connection.execute("CREATE TABLE invoices (a INTEGER)")
    with pytest.raises(OutputError, match="there is no table 'profiles'"):
        read_table(DuckDBOutput(str(tmp_path / "other.duckdb")), PROFILES)


EVENT_ROWS = [
    (
        "m1",
        "user:ada",
        "ada",
        None,
        "track",
        "Song Played",
        NOON_US,
        NOON_US + 5,
        '{"plays":[1,null]}',
        None,
        '{"locale":"de"}',
        None,
        None,
    ),
    ("m2", "user:ada", None, "a1", "page", "Home", NOON_US + 1, None, "{}", None, None, None, None),
    ("m3", "user:ada", "ada", "a1", "identify", None, NOON_US + 2, None, None, '{"email":null}', None, None, None),
    ("m4", "user:ada", "ada", None, "alias", None, NOON_US + 3, None, None, None, None, "a0", None),
    ("m5", "user:ada", "ada", None, "group", None, NOON_US + 4, None, None, '{"plan":"pro"}', None, None, "acme"),
]


def test_a_jobs_events_are_another_jobs_input(tmp_path: Path) -> None:
    path = str(tmp_path / "o.duckdb")
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        block = TableBlock("events", 0, tuple(zip(*EVENT_ROWS, strict=True)))
        _ = (pipeline | beam.Create([block]),) | WriteTables(DuckDBOutput(path))

    def check(found: list[list[Record]]) -> None:
        records = [record for records in found for record in records]
        events = sorted(Event(*record[: len(Event._fields)]) for record in records)
        assert [event.message_id for event in events] == ["m1", "m2", "m3", "m4", "m5"]
        for event, row in zip(events, EVENT_ROWS, strict=True):
            read = (event.message_id, event.user_id, event.anonymous_id, event.type, event.name, event.timestamp)
            assert read == (row[0], row[2], row[3], row[4], row[5] or "", row[6])
            assert event.received_at == row[7]
            assert (event.previous_id, event.group_id) == row[11:]
            for text, read_text in zip(row[8:11], (event.properties, event.traits, event.context), strict=True):
                assert (read_text and orjson.loads(read_text)) == (text and orjson.loads(text))

    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        location = DuckDBInput(f"duckdb:{path}", path)
        parsed = pipeline | ReadTables([location], EventParser(load_tracking_plan()), 4)
        events = (
            (parsed.events.known, parsed.events.devices)
            | beam.Flatten()
            | beam.Map(lambda kv: records_of(unpack(kv[1]))),
            parsed.events.claims | beam.Map(lambda kv: list(unpack_records([kv[1]]))),
        )
        assert_that(events | "All" >> beam.Flatten(), check, label="Events")
        assert_that(parsed.failed, equal_to([]), label="Failed")


def test_tables_of_an_earlier_release_have_empty_columns_for_what_came_later(tmp_path: Path) -> None:
    path = tmp_path / "earlier.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(create_all(TABLES))
        connection.execute("ALTER TABLE profiles DROP COLUMN tags; ALTER TABLE profiles DROP COLUMN device_type")
        row = "profile_id, anonymous_ids, traits, computed, segments, event_count, version, recorded_at"
        connection.execute(f"INSERT INTO profiles ({row}) VALUES ('user:a', [], '{{}}', '{{}}', [], 1, 1, now())")  # noqa: S608
    with open_tables(DuckDBOutput(str(path))) as connection:
        found = connection.execute("SELECT profile_id, tags, device_type FROM profiles").fetchall()
    assert found == [("user:a", [], None)]
