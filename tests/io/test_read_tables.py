"""Tables read back from where a job wrote them."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import duckdb
import pytest

from pipelines.io.output import DuckDBOutput, FilesOutput, Output, OutputError
from pipelines.io.tables import read_batches, read_table, to_events
from pipelines.io.write_tables import WriteTables
from schemas.arrow import arrow_schema
from schemas.tables import EVENTS, PROFILES, TABLES
from tests.io.rows import NOON_US, example_blocks, expected_rows


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
    events = {event.message_id: event for batch in read_batches(output, EVENTS) for event in to_events(batch)}
    assert len(events) == 12
    event = events["message_id-00002"]
    assert (event.timestamp, event.received_at) == (NOON_US + 2_000_002, NOON_US + 2_000_002)
    assert (event.type, event.name, event.user_id) == ("type-00002", "event-00002", "user_id-00002")
    assert event.properties == '{"number":2,"text":"é"}'.encode()
    empty = events["message_id-00003"]
    assert (empty.name, empty.received_at, empty.properties, empty.user_id) == ("", None, None, None)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no such file"):
        read_table(DuckDBOutput(str(tmp_path / "no.duckdb")), PROFILES)
    with pytest.raises(OutputError, match="there is no profiles/"):
        read_table(FilesOutput(str(tmp_path)), PROFILES)
    with duckdb.connect(str(tmp_path / "other.duckdb")) as connection:
        connection.execute("CREATE TABLE invoices (a INTEGER)")
    with pytest.raises(OutputError, match="there is no table 'profiles'"):
        read_table(DuckDBOutput(str(tmp_path / "other.duckdb")), PROFILES)
