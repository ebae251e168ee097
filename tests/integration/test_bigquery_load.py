"""Bounded jobs into BigQuery: equal rows to DuckDB and Parquet, replaced as a whole, whatever goes wrong on the way."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pytest

from pipelines.io.bigquery import load as bigquery_load
from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.bigquery.load import write_dataset
from pipelines.io.bigquery.read import read_events
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, FilesOutput
from pipelines.io.tables.read_back import read_table
from pipelines.io.tables.staging import Shard, ShardWriter
from pipelines.io.tables.write_tables import WriteTables
from schemas.block import TableBlock
from schemas.tables import DELETIONS, EVENTS, FAILED_EVENTS, PROFILES, TABLES
from services.service import Running
from tests.integration.bigquery_place import comparable, expect, query, rows_in
from tests.io.faults import Plan, rest_proxy
from tests.io.rows import NOON_US, block, example_blocks

pytest_plugins = ("tests.integration.bigquery_fixtures",)

ALL = list(range(12))
SOME = (PROFILES, EVENTS, DELETIONS)
"""Where a few tables show it: each load costs the emulator memory for good."""


def stage(folder: Path, blocks: list[TableBlock]) -> dict[str, list[Shard]]:
    writer = ShardWriter(str(folder))
    shards = [shard for one in blocks for shard in writer.write(one)] + list(writer.close())
    return {table.name: [shard for shard in shards if shard.table == table.name] for table in TABLES}


def some_blocks() -> list[TableBlock]:
    return [one for one in example_blocks() if one.table in {table.name for table in SOME}]


def test_all_outputs_hold_equal_rows(output: BigQueryOutput, tmp_path: Path) -> None:
    outputs = [output, DuckDBOutput(str(tmp_path / "out.duckdb")), FilesOutput(str(tmp_path / "out"))]
    for one in outputs:
        with beam.Pipeline(runner="FnApiRunner") as pipeline:
            blocks = pipeline | beam.Create(example_blocks())
            _ = (blocks,) | WriteTables(one)
    for table in TABLES:
        big, duck, files = (
            comparable(
                table, list(zip(*[column.to_pylist() for column in read_table(one, table).columns], strict=True))
            )
            for one in outputs
        )
        assert big == duck == files
        assert len(big) == 12
    names = query(f"SELECT table_name FROM {output.dataset}.INFORMATION_SCHEMA.TABLES")  # noqa: S608 - made here
    assert [name for (name,) in names if "staging" in name] == []


def test_a_rerun_replaces(output: BigQueryOutput, tmp_path: Path) -> None:
    assert write_dataset(output, tmp_path, stage(tmp_path, example_blocks()))["events"] == 12
    assert write_dataset(output, tmp_path, stage(tmp_path, [block(PROFILES, [1])]))["events"] == 0
    expect(output, [1], PROFILES)
    expect(output, [], *TABLES[1:])


def test_json_that_bigquery_cannot_hold_is_kept_as_text(output: BigQueryOutput, tmp_path: Path) -> None:
    texts = ['{"n":1}', '{"n":123456789012345678901234567890}', "[" * 900 + "]" * 900]
    columns = (["r", "s", "t"], ["h"] * 3, [NOON_US] * 3, [NOON_US] * 3, texts)
    write_dataset(output, tmp_path, stage(tmp_path, [TableBlock("deletions", 0, columns)]))
    counts = [json.loads(row[4]) for row in rows_in(output, DELETIONS)]
    assert counts[0] == {"n": 1}
    assert counts[1]["n"] == pytest.approx(123456789012345678901234567890)
    assert counts[2] in (json.loads(texts[2]), texts[2])


def test_a_record_that_no_row_can_hold_is_cut(
    output: BigQueryOutput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bigquery_load, "MOST_RAW_BYTES", 4)
    write_dataset(output, tmp_path, stage(tmp_path, [block(FAILED_EVENTS, [1, 22, 333])]))
    raw = FAILED_EVENTS.column_names().index("raw")
    assert [row[raw] for row in rows_in(output, FAILED_EVENTS)] == [b"\xff\x001", b"\xff\x0022", b"\xff\x0033"]


@pytest.mark.parametrize("seed", [1, 2])
def test_faults_on_the_way_leave_equal_rows(
    seed: int, output: BigQueryOutput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bigquery: Running
) -> None:
    monkeypatch.setattr("pipelines.io.bigquery.service.back_off", lambda: itertools.repeat(0.01))
    plan = Plan(seed, share=0.3)
    with rest_proxy(bigquery.endpoints["http"], plan) as address:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"http://{address}")
        write_dataset(output, tmp_path, stage(tmp_path, example_blocks()))
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.environment["BIGQUERY_EMULATOR_HOST"])
    assert sum(plan.done.values()) - plan.done["none"] >= 5
    expect(output, ALL)


def test_a_service_that_stays_away_fails_the_job(
    output: BigQueryOutput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = stage(tmp_path, example_blocks())
    write_dataset(output, tmp_path, shards)
    with rest_proxy("127.0.0.1:1", Plan(1, share=0)) as address:
        pass  # closed: nobody listens there any more
    monkeypatch.setattr("pipelines.io.bigquery.service.back_off", lambda: itertools.repeat(700.0))
    with monkeypatch.context() as away:
        away.setenv("BIGQUERY_EMULATOR_HOST", f"http://{address}")
        with pytest.raises(BigQueryError, match="gave up after 600 s: ConnectionError"):
            write_dataset(output, tmp_path, shards)
    expect(output, ALL)


KILLED = """
import os, sys
from pathlib import Path
import requests
from pipelines.io.bigquery.load import write_dataset
from pipelines.io.outputs import BigQueryOutput
from tests.integration.test_bigquery_load import some_blocks, stage
project, dataset, folder, step = sys.argv[1:]
left = [int(step)]
request = requests.Session.request
def counted(*arguments, **options):
    if left[0] == 0:
        os._exit(9)
    left[0] -= 1
    return request(*arguments, **options)
requests.Session.request = counted
write_dataset(BigQueryOutput(project, dataset), Path(folder), stage(Path(folder), some_blocks()))
"""


@pytest.mark.parametrize("step", [2, 10, 12], ids=["at the first load", "at the transaction", "after it"])
def test_a_killed_writer_leaves_the_old_rows_or_the_new(step: int, output: BigQueryOutput, tmp_path: Path) -> None:
    write_dataset(output, tmp_path, stage(tmp_path, [block(table, [1]) for table in SOME]))
    arguments = [output.project, output.dataset, str(tmp_path), str(step)]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert done.returncode == 9
    rows = len(rows_in(output, PROFILES))
    assert rows in ({1} if step == 2 else {1, 12})
    expect(output, ALL if rows == 12 else [1], EVENTS, DELETIONS)
    write_dataset(output, tmp_path, stage(tmp_path, some_blocks()))
    expect(output, ALL, PROFILES)


def test_events_are_read_back_by_time(output: BigQueryOutput, tmp_path: Path) -> None:
    write_dataset(output, tmp_path, stage(tmp_path, example_blocks()))

    def ids(start: int | None, stop: int | None) -> list[str]:
        batches = read_events(output.project, output.dataset, start, stop)
        return sorted(message_id for batch in batches for message_id in batch.column("message_id").to_pylist())

    second = 1_000_001
    assert ids(None, None) == [f"message_id-{number:05}" for number in range(12)]
    assert ids(NOON_US + 3 * second, NOON_US + 5 * second) == ["message_id-00003", "message_id-00004"]
    assert ids(NOON_US + 11 * second, None) == ["message_id-00011"]
    assert ids(None, NOON_US) == []
    batches = read_events(output.project, output.dataset, NOON_US + second, NOON_US + 2 * second)
    [event] = [row for batch in batches for row in batch.to_pylist()]
    assert round(event["timestamp"].timestamp() * 1_000_000) == NOON_US + second
    assert (event["type"], event["event"]) == ("type-00001", "event-00001")
    assert event["properties"] == '{"number":1,"text":"é"}'


@pytest.mark.parametrize("seed", [1, 2])
def test_faults_on_the_way_back_leave_equal_rows(
    seed: int, output: BigQueryOutput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bigquery: Running
) -> None:
    write_dataset(output, tmp_path, stage(tmp_path, example_blocks()))
    monkeypatch.setattr("pipelines.io.bigquery.service.back_off", lambda: itertools.repeat(0.01))
    plan = Plan(seed, share=0.3)
    with rest_proxy(bigquery.endpoints["http"], plan) as address:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"http://{address}")
        expect(output, ALL)
    assert sum(plan.done.values()) - plan.done["none"] >= 5


def test_reading_what_is_not_there_says_so(bigquery: Running) -> None:
    with pytest.raises(BigQueryError, match="read events"):
        list(read_events("test", "no_such_dataset"))
