"""The bounded job with its shards, its input and its Parquet output in object stores: the tables of the local job."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipelines.io.files.parquet_store import read_manifest
from pipelines.io.files.store import open_store
from pipelines.io.outputs import StoreOutput, parse_output
from pipelines.io.tables.query import open_tables
from pipelines.io.tables.staging import ShardWriter
from pipelines.io.tables.staging_place import begin_staging, new_staging_place
from pipelines.io.tables.write_tables import make_tables
from pipelines.profiles import main
from schemas.errors import OutputError
from schemas.tables import PROFILES, TABLES
from services.service import Running
from tests.integration.bigquery_place import comparable, new_output
from tests.integration.test_bigquery_job import rows_of
from tests.io.rows import block, expected_rows, read_rows

pytest_plugins = ("tests.integration.object_stores", "tests.integration.bigquery_fixtures")

ROOT = Path(__file__).parents[2]
RULES = [f"--segments={ROOT}/segments", f"--traits={ROOT}/traits"]
EVENTS = ROOT / "examples" / "events" / "events-4.ndjson"


def all_rows(output: str) -> dict[str, list[tuple[Any, ...]]]:
    with open_tables(parse_output(output)) as connection:
        order = "ORDER BY ALL"
        return {one.name: connection.execute(f"SELECT * FROM {one.name} {order}").fetchall() for one in TABLES}  # noqa: S608


def run_job(events: str, output: str, *more: str) -> None:
    assert main([f"--input={events}", *RULES, f"--output={output}", *more]) == 0


def without_source(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Of a failed event all but where it came from, which differs here."""
    place = next(table for table in TABLES if table.name == "failed_events").column_names().index("source")
    failed = [row[:place] + row[place + 1 :] for row in rows["failed_events"]]
    return {**rows, "failed_events": sorted(failed, key=str)}


def test_all_outputs_by_way_of_a_store_hold_the_rows_of_the_local_job(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(bucket).writing("in/events.ndjson") as path:
        path.write_bytes(EVENTS.read_bytes())
    local, staged, store = f"duckdb:{tmp_path}/local.duckdb", f"duckdb:{tmp_path}/staged.duckdb", f"files:{bucket}/out"
    run_job(str(EVENTS), local)
    expected = without_source(all_rows(local))
    run_job(f"{bucket}/in/events.ndjson", staged, f"--staging={bucket}/between")
    run_job(f"{bucket}/in/events.ndjson", f"files:{tmp_path}/staged", f"--temp_location={bucket}/between")
    run_job(f"{bucket}/in/events.ndjson", store)
    assert "manifest.json" in capsys.readouterr().out
    for output in (staged, f"files:{tmp_path}/staged", store):
        assert without_source(all_rows(output)) == expected
    assert open_store(f"{bucket}/between").list() == []
    names = {file.name.partition("/")[0] for file in open_store(f"{bucket}/out").list()}
    assert names == {"manifest.json", "job.json", "runs"}


def test_a_dataset_is_loaded_by_way_of_a_store(
    use_stores: dict[str, str], bigquery: Running, bucket: str, tmp_path: Path
) -> None:
    dataset, local = str(new_output()), f"duckdb:{tmp_path}/local.duckdb"
    run_job(str(EVENTS), local)
    run_job(str(EVENTS), dataset, f"--staging={bucket}/between")
    for table in TABLES:
        assert rows_of(dataset, table) == comparable(table, rows_of(local, table))
    assert open_store(f"{bucket}/between").list() == []


def written(output: StoreOutput, numbers: Sequence[int]) -> None:
    """The tables of a run, without a runner."""
    place = new_staging_place(output)
    begin_staging(place)
    run_steps(place, [block(PROFILES, list(numbers))])


def run_steps(place: Any, blocks: Sequence[Any]) -> None:
    writer = ShardWriter(place.folder)
    shards = [shard for one in blocks for shard in writer.write(one)]
    make_tables(place, [*shards, *writer.close()])
    place.remove()


def profiles_of(output: StoreOutput) -> list[tuple[Any, ...]]:
    with open_tables(output, [PROFILES]) as connection:
        return connection.execute("SELECT * FROM profiles ORDER BY profile_id").fetchall()


KILLED = """
import os, sys
from apache_beam.internal.gcp.auth import _Credentials
_Credentials._credentials_init = True
from pipelines.io.files import store
from pipelines.io.outputs import StoreOutput
from pipelines.io.tables.staging_place import begin_staging, new_staging_place
from tests.integration.test_object_stores import run_steps
from tests.io.rows import example_blocks
left = [int(sys.argv[2])]
def counted(name):
    real = getattr(store.ObjectStore, name)
    def call(*arguments):
        if left[0] == 0:
            os._exit(9)
        left[0] -= 1
        return real(*arguments)
    setattr(store.ObjectStore, name, call)
for name in ("_upload", "_download", "delete"):
    counted(name)
place = new_staging_place(StoreOutput(sys.argv[1]))
begin_staging(place)
run_steps(place, example_blocks())
"""


def test_a_killed_writer_leaves_the_old_tables_or_the_new(bucket: str) -> None:
    output = StoreOutput(f"{bucket}/out")
    written(output, [1])
    outcomes = []
    for step in range(0, 100, 4):
        done = subprocess.run([sys.executable, "-c", KILLED, output.location, str(step)], check=False, cwd=ROOT)
        assert done.returncode in {0, 9}
        rows = profiles_of(output)
        assert rows in (read_rows(PROFILES, [1]), expected_rows(PROFILES))
        outcomes.append(len(rows))
        if done.returncode == 0:
            break
    assert outcomes[0] == 1
    assert outcomes[-1] == len(expected_rows(PROFILES))
    manifest = read_manifest(output)
    assert manifest is not None
    place = new_staging_place(output)
    begin_staging(place, abandoned_seconds=-1)
    runs = {file.name.split("/")[1] for file in open_store(output.location).list("runs/")}
    assert runs == {place.run, manifest.run, manifest.before}, "what dead runs left is swept"


def test_a_reader_goes_on_while_the_tables_are_replaced_once(bucket: str) -> None:
    output = StoreOutput(f"{bucket}/out")
    written(output, [1])
    before = read_manifest(output)
    assert before is not None
    written(output, [2])
    names = [name for parts in before.tables.values() for name in parts]
    assert all(open_store(output.location).read(name) for name in names), "the former run's files are still there"
    written(output, [3])
    assert profiles_of(output) == read_rows(PROFILES, [3])
    assert not any(open_store(output.location).read(name) for name in names)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_wrong_with_a_store_is_told_before_anything_starts(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = bucket + "-that-is-not-there"
    output = f"duckdb:{tmp_path}/o.duckdb"
    for arguments in ([f"--output={output}", f"--staging={away}"], [f"--output=files:{away}/out"]):
        assert main([f"--input={EVENTS}", *RULES, *arguments]) == 2
        assert away in capsys.readouterr().err
    open_store(f"{bucket}/taken").write("manifest.json", b'{"name": "a web app"}')
    assert main([f"--input={EVENTS}", *RULES, f"--output=files:{bucket}/taken"]) == 2
    assert "is not what Tidemark writes" in capsys.readouterr().err
    with pytest.raises(OutputError, match=r"there is no manifest\.json"), open_tables(StoreOutput(f"{bucket}/nothing")):
        pass
    assert list(tmp_path.iterdir()) == []
