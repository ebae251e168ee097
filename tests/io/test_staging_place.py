"""A place that workers of several machines share: who makes the output, what is taken away, what a dead run leaves."""

from __future__ import annotations

import os
import time
from pathlib import Path

import apache_beam as beam
import duckdb
import pytest

from pipelines.io.files.store import LocalStore, open_store
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, FilesOutput, Output, StoreOutput
from pipelines.io.tables.read_back import read_table
from pipelines.io.tables.staging import Shard
from pipelines.io.tables.staging_place import begin_staging, new_staging_place
from pipelines.io.tables.write_tables import WriteTables, finish_tables
from schemas.block import TableBlock
from schemas.errors import OutputError
from schemas.tables import PROFILES, TABLES
from tests.io.rows import block, example_blocks, expected_rows, read_rows


def outputs(folder: Path) -> list[Output]:
    return [DuckDBOutput(str(folder / "out.duckdb")), FilesOutput(str(folder / "out"))]


def run_job(place_of: Output, staging: Path, blocks: list[TableBlock]) -> None:
    """As pipelines/batch_job.py does."""
    place = new_staging_place(place_of, str(staging))
    begin_staging(place)
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        _ = (pipeline | beam.Create(blocks) | beam.Reshuffle(),) | WriteTables(place)
    finish_tables(place)


def rows_of(output: Output) -> dict[str, list[tuple[object, ...]]]:
    tables = {table.name: read_table(output, table) for table in TABLES}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return {name: connection.from_arrow(found).fetchall() for name, found in tables.items()}


def test_the_launcher_makes_a_local_output_of_what_workers_put_elsewhere(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    for output in outputs(tmp_path / "tables"):
        run_job(output, staging, example_blocks())
        found = rows_of(output)
        for table in TABLES:
            assert found[table.name] == expected_rows(table)
        run_job(output, staging, [block(PROFILES, [1])])
        found = rows_of(output)
        assert found["profiles"] == read_rows(PROFILES, [1])
        assert found["memberships"] == []
    assert [path.name for path in sorted((tmp_path / "tables").iterdir())] == ["out", "out.duckdb"]
    assert list(staging.rglob("*.*")) == []


def test_a_job_that_ended_without_its_list_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    output = DuckDBOutput(str(tmp_path / "out.duckdb"))
    place = new_staging_place(output, str(tmp_path / "staging"))
    begin_staging(place)
    with pytest.raises(OutputError, match="has not noted what it wrote"):
        finish_tables(place)
    assert not Path(output.path).exists()


def test_who_makes_the_output(tmp_path: Path) -> None:
    local, dataset, store = DuckDBOutput("o"), BigQueryOutput("shop", "ds"), StoreOutput("gs://bucket/out")
    assert not new_staging_place(local).finished_by_launcher
    assert new_staging_place(local, str(tmp_path)).finished_by_launcher
    assert new_staging_place(local, "s3://bucket/tmp/").folder.startswith("s3://bucket/tmp/tidemark-staging/")
    assert not new_staging_place(dataset, "s3://bucket/tmp").finished_by_launcher
    assert not new_staging_place(store, "s3://bucket/tmp").finished_by_launcher
    assert new_staging_place(store, "s3://bucket/tmp").folder.startswith("gs://bucket/out/runs/")


def test_shards_on_the_disk_of_another_machine_are_told_from_none(tmp_path: Path) -> None:
    output = DuckDBOutput(str(tmp_path / "out.duckdb"))
    place = new_staging_place(output)
    with place.work_folder() as work, pytest.raises(OutputError, match="expected --staging LOCATION"):
        place.local([Shard("profiles", 0, f"{place.folder}/profiles-1.parquet", 1)], work)


def test_what_a_dead_run_left_is_swept_and_what_lives_is_not(tmp_path: Path) -> None:
    output, staging = DuckDBOutput(str(tmp_path / "out.duckdb")), tmp_path / "staging"
    now = time.time()
    for name, age in (("dead", 90_000), ("quiet", 80_000), ("foreign", 900_000)):
        folder = staging / "tidemark-staging" / name if name != "foreign" else staging / "foreign"
        folder.mkdir(parents=True)
        for number in range(2):
            path = folder / f"events-{number}.parquet"
            path.touch()
            os.utime(path, (now - age - number * 10**6, now - age - number * 10**6))
    begin_staging(new_staging_place(output, str(staging)))
    names = sorted(path.relative_to(staging).parts[-2] for path in staging.rglob("*.parquet"))
    assert names == ["foreign", "foreign", "quiet", "quiet"], "the newest file of a run counts"


def test_a_failed_job_takes_its_shards_away(tmp_path: Path) -> None:
    place = new_staging_place(DuckDBOutput(str(tmp_path / "out.duckdb")), str(tmp_path / "staging"))
    begin_staging(place)
    with open_store(place.folder).writing("events-1.parquet") as path:
        path.touch()
    place.abandon()
    assert list(tmp_path.rglob("*.parquet")) == []


def test_a_place_that_cannot_be_written_is_refused_before_the_job(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written to"):
        begin_staging(new_staging_place(DuckDBOutput(str(tmp_path / "o")), str(tmp_path / "file")))
    with pytest.raises(OutputError, match="cannot be written to"):
        begin_staging(new_staging_place(DuckDBOutput(str(tmp_path / "o")), "nothing://bucket/folder"))


def test_a_local_store_keeps_whole_files(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "store"))
    assert store.list() == []
    assert store.read("a/manifest.json") is None
    store.write("a/manifest.json", b"1")
    store.write("a/manifest.json", b"2")
    with store.writing("b/part.parquet") as path:
        path.write_bytes(b"x")
    assert store.read("a/manifest.json") == b"2"
    assert sorted(file.name for file in store.list()) == ["a/manifest.json", "b/part.parquet"]
    assert [file.name for file in store.list("b/")] == ["b/part.parquet"]
    assert [path.read_bytes() for path in store.fetch(["b/part.parquet"], tmp_path / "copies")] == [b"x"]
    store.delete(["b/part.parquet", "never/there"])
    assert [file.name for file in store.list()] == ["a/manifest.json"]
    assert not (tmp_path / "store" / "b").exists()
