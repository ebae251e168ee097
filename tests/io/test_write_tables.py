"""Blocks in, tables out: whole, sorted, the same whatever the order, and the old ones if the job dies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import apache_beam as beam
import duckdb
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.io.check_outputs import check_output
from pipelines.io.outputs import DuckDBOutput, FilesOutput, Output
from pipelines.io.tables.staging import ShardWriter, new_staging_folder, open_staging_database, select_rows
from pipelines.io.tables.write_tables import WriteSummary, WriteTables
from schemas.arrow import to_record_batch
from schemas.block import TableBlock
from schemas.tables import FAILED_EVENTS, MEMBERSHIPS, PROFILES, TABLES, Table
from tests.io.rows import block, example_blocks, expected_rows, read_rows

OUTPUTS = ("duckdb", "files")


def output_in(folder: Path, kind: str) -> Output:
    return DuckDBOutput(str(folder / "out.duckdb")) if kind == "duckdb" else FilesOutput(str(folder / "out"))


def write(output: Output, blocks: list[TableBlock]) -> WriteSummary:
    kept = Path(str(output).partition(":")[2]).parent / "summary.json"

    def keep(summary: WriteSummary) -> None:
        kept.write_text(json.dumps(summary))

    check_output(output)
    with beam.Pipeline(runner="FnApiRunner", options=PipelineOptions([])) as pipeline:
        blocks_in = pipeline | "Blocks" >> beam.Create(blocks) | "Spread" >> beam.Reshuffle()
        _ = (blocks_in,) | "WriteTables" >> WriteTables(output) | "Keep" >> beam.Map(keep)
    summary = WriteSummary(*json.loads(kept.read_text()))
    kept.unlink()
    return summary


def read(output: Output, table: Table) -> list[tuple[Any, ...]]:
    if isinstance(output, DuckDBOutput):
        with duckdb.connect(output.path, read_only=True) as connection:
            return connection.table(table.name).fetchall()
    assert isinstance(output, FilesOutput)
    with duckdb.connect() as connection:
        return connection.read_parquet(f"{output.directory}/{table.name}/*.parquet").fetchall()


@pytest.mark.parametrize("kind", OUTPUTS)
def test_every_row_arrives_in_order(kind: str, tmp_path: Path) -> None:
    output = output_in(tmp_path, kind)
    summary = write(output, example_blocks())
    assert summary == WriteSummary(str(output), {table.name: 12 for table in TABLES}, {})
    for table in TABLES:
        assert read(output, table) == expected_rows(table)
    assert [path.name for path in tmp_path.iterdir()] == [Path(str(output)).name.rpartition(":")[2]]


def test_worker_processes_share_the_staging_folder(tmp_path: Path) -> None:
    outputs = [output_in(tmp_path, kind) for kind in OUTPUTS]
    workers = PipelineOptions(["--direct_running_mode=multi_processing", "--direct_num_workers=2"])
    with beam.Pipeline(runner="FnApiRunner", options=workers) as pipeline:
        blocks = pipeline | "Blocks" >> beam.Create(example_blocks()) | "Spread" >> beam.Reshuffle()
        for kind, output in zip(OUTPUTS, outputs, strict=True):
            _ = (blocks,) | kind >> WriteTables(output)
    for output in outputs:
        for table in TABLES:
            assert read(output, table) == expected_rows(table)


@pytest.mark.parametrize("kind", OUTPUTS)
def test_no_rows_make_empty_tables(kind: str, tmp_path: Path) -> None:
    output = output_in(tmp_path, kind)
    summary = write(output, [])
    assert set(summary.rows.values()) == {0}
    for table in TABLES:
        assert read(output, table) == []


@pytest.mark.parametrize("kind", OUTPUTS)
def test_the_order_of_blocks_does_not_matter(kind: str, tmp_path: Path) -> None:
    one, other = output_in(tmp_path / "one", kind), output_in(tmp_path / "other", kind)
    write(one, example_blocks())
    write(other, example_blocks(reverse=True))
    for table in TABLES:
        assert read(one, table) == read(other, table)
    if isinstance(one, FilesOutput) and isinstance(other, FilesOutput):
        files = {path.relative_to(one.directory): path.read_bytes() for path in Path(one.directory).rglob("*.parquet")}
        assert len(files) == len(TABLES) + 2  # events keep their three blocks
        for name, content in files.items():
            assert (Path(other.directory) / name).read_bytes() == content


@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_rerun_replaces(kind: str, tmp_path: Path) -> None:
    output = output_in(tmp_path, kind)
    write(output, example_blocks())
    write(output, [block(PROFILES, [1])])
    assert read(output, PROFILES) == read_rows(PROFILES, [1])
    assert read(output, MEMBERSHIPS) == []


@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_failure_reported_twice_is_one_row_of_the_first_source(kind: str, tmp_path: Path) -> None:
    sources = ["later.ndjson", "a.ndjson", "middle.ndjson"]
    blocks = []
    for order, source in enumerate(sources):
        one = block(FAILED_EVENTS, [4], order)
        columns = list(one.columns)
        columns[FAILED_EVENTS.column_names().index("source")] = [source]
        blocks.append(one._replace(columns=tuple(columns)))
    output = output_in(tmp_path, kind)
    summary = write(output, blocks)
    [row] = read(output, FAILED_EVENTS)
    assert row[FAILED_EVENTS.column_names().index("source")] == "a.ndjson"
    assert summary.rows["failed_events"] == 1
    assert summary.repeated == {"failed_events": 2}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_bad_block_fails_the_job_and_leaves_the_output(kind: str, tmp_path: Path) -> None:
    output = output_in(tmp_path, kind)
    write(output, [block(PROFILES, [1])])
    with pytest.raises(Exception, match=f"table profiles: 1 columns, expected {len(PROFILES.columns)}"):
        write(output, [TableBlock("profiles", 0, (["user:1"],))])
    with pytest.raises(Exception, match="no table 'profile'"):
        write(output, [TableBlock("profile", 0, (["user:1"],))])
    assert read(output, PROFILES) == read_rows(PROFILES, [1])


# Imports once; at each line of input a child that is killed before its operation of that number.
KILLED = """
import os, sys
from pathlib import Path
import pyarrow.parquet
from pipelines.io.files import atomic
from pipelines.io.tables import staging
from pipelines.io.duckdb.database_file import write_database
from pipelines.io.files.parquet_folder import write_folder
from tests.io.rows import example_blocks

kind, target, blocks = sys.argv[1], Path(sys.argv[2]), example_blocks()

def write(step):
    folder = staging.new_staging_folder(target)
    writer = staging.ShardWriter(str(folder))
    shards = {}
    for block in blocks:
        for shard in writer.write(block):
            shards.setdefault(shard.table, []).append(shard)
    for shard in writer.close():
        shards.setdefault(shard.table, []).append(shard)
    seen = 0
    def die(event, arguments):
        nonlocal seen
        if event in ("open", "os.rename", "os.link", "os.mkdir", "shutil.rmtree", "os.remove", "ctypes.dlsym"):
            if seen == step:
                os._exit(9)
            seen += 1
    sys.addaudithook(die)
    (write_database if kind == "duckdb" else write_folder)(target, folder, shards)

for line in sys.stdin:
    child = os.fork()
    if not child:
        os.dup2(2, 1)  # DuckDB takes a process without a script for a terminal's, and shows it progress
        status = 1
        try:
            write(int(line))
            status = 0
        finally:
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.mark.parametrize("kind", OUTPUTS)
def test_killed_at_any_step_leaves_the_old_or_the_new_output(kind: str, tmp_path: Path) -> None:
    """The writer is killed before its first, second, third ... operation on the file system."""
    output = output_in(tmp_path, kind)
    target = Path(str(output).partition(":")[2])
    write(output, [block(PROFILES, [1])])
    old, new = read_rows(PROFILES, [1]), expected_rows(PROFILES)
    outcomes = []
    command = [sys.executable, "-c", KILLED, kind, str(target)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writers:
        assert writers.stdin is not None
        assert writers.stdout is not None
        for step in range(0, 200, 1 if kind == "duckdb" else 4):
            print(step, file=writers.stdin, flush=True)
            status = int(writers.stdout.readline())
            assert status in {0, 9}
            rows = read(output, PROFILES)
            assert rows in (old, new)
            outcomes.append(rows == new)
            if status == 0:
                break
        writers.stdin.close()
    assert outcomes[0] is False
    assert outcomes[-1] is True
    check_output(output)
    assert list(tmp_path.iterdir()) == [target]
    write(output, [block(PROFILES, [2])])
    assert read(output, PROFILES) == read_rows(PROFILES, [2])


def test_a_large_bundle_is_written_in_several_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.io.tables.staging.ROWS_PER_SHARD", 5)
    writer = ShardWriter(str(tmp_path))
    shards = [shard for numbers in ([1, 2, 3], [4, 5, 6], [7]) for shard in writer.write(block(PROFILES, numbers))]
    assert [shard.rows for shard in shards] == [6]
    assert [shard.rows for shard in writer.close()] == [1]
    assert list(writer.close()) == []


def test_single_rows_are_gathered_into_few_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Receipts of erasure and refused aliases come a row at a time, by ten thousands."""
    made = []
    real = to_record_batch

    def counted(table: Table, of_rows: TableBlock) -> pa.RecordBatch:
        made.append(of_rows)
        return real(table, of_rows)

    monkeypatch.setattr("pipelines.io.tables.staging.to_record_batch", counted)
    writer = ShardWriter(str(tmp_path))
    shards = [shard for number in range(2_000) for shard in writer.write(block(PROFILES, [number]))]
    shards += writer.close()
    assert [shard.rows for shard in shards] == [2_000]
    assert len(made) < 10
    query, parameters = select_rows(PROFILES, shards)
    with open_staging_database(tmp_path) as connection:
        assert connection.execute(query, parameters).fetchall() == read_rows(PROFILES, list(range(2_000)))


def test_long_rows_are_held_back_by_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.io.tables.staging.BYTES_PER_SHARD", 100_000)
    monkeypatch.setattr("pipelines.io.tables.staging.GATHERED_ROWS", 2)
    writer = ShardWriter(str(tmp_path))
    one = block(PROFILES, [1, 2])
    columns = list(one.columns)
    columns[PROFILES.column_names().index("traits")] = ['"' + "x" * 200_000 + '"'] * 2
    assert [shard.rows for shard in writer.write(one._replace(columns=tuple(columns)))] == [2]


def test_a_log_beside_the_old_database_is_not_met_by_the_new_one(tmp_path: Path) -> None:
    output = DuckDBOutput(str(tmp_path / "out.duckdb"))
    write(output, [block(PROFILES, [1])])
    leave_log = (
        "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.execute('DELETE FROM profiles'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", leave_log, output.path], check=True)
    assert Path(output.path + ".wal").exists()
    write(output, [block(PROFILES, [2])])
    assert not Path(output.path + ".wal").exists()
    assert read(output, PROFILES) == read_rows(PROFILES, [2])


def test_staging_folders_of_dead_runs_are_swept(tmp_path: Path) -> None:
    target = tmp_path / "out.duckdb"
    mine = new_staging_folder(target)
    dead = subprocess.run(
        [
            sys.executable,
            "-c",
            "from pathlib import Path; from pipelines.io.tables.staging import new_staging_folder;"
            f"print(new_staging_folder(Path({str(target)!r})))",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    for folder in (mine, Path(dead)):
        folder.mkdir()
    check_output(DuckDBOutput(str(target)))
    assert list(tmp_path.iterdir()) == [mine]
    assert str(os.getpid()) in mine.name
