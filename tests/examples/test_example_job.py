"""`make run`, in short: the job on what ships finds members for every shipped rule, and every failure that it can."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).parents[2]
# Those that an event brings upon itself, that identity finds, and that a damaged file is. `merge_limit` takes a hundred
# merges into one profile; the others need a stream, another option or another output.
EXPECTED_REASONS = {
    "alias_conflict",
    "alias_cycle",
    "blocked_identifier",
    "conflicting_duplicate",
    "malformed_avro",
    "malformed_json",
    "missing_identifier",
    "missing_timestamp",
    "not_utf8",
    "schema_violation",
    "timestamp_in_future",
    "too_large",
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    path = tmp_path_factory.mktemp("example") / "shop.duckdb"
    places = ["--input", "examples/events/*", "--segments", "segments", "--traits", "traits"]
    command = [sys.executable, "-m", "pipelines.profiles", *places, "--output", f"duckdb:{path}"]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    return duckdb.connect(str(path), read_only=True)


def column(database: duckdb.DuckDBPyConnection, query: str) -> list[object]:
    return [row[0] for row in database.sql(query).fetchall()]


def test_every_rule_finds_members(database: duckdb.DuckDBPyConnection) -> None:
    found = column(database, "select distinct segment from memberships where exited_at is null")
    assert set(found) == {file.stem for file in (ROOT / "segments").glob("*.yaml")}


def test_every_failure_occurs(database: duckdb.DuckDBPyConnection) -> None:
    assert set(column(database, "select reason from failed_events")) == EXPECTED_REASONS


def test_accounts_merge_and_people_are_forgotten(database: duckdb.DuckDBPyConnection) -> None:
    assert column(database, "select count(*) from profiles where merged_into like 'user:%' and user_id is not null")[0]
    assert column(database, "select count(*) from profiles where merged_into is not null and user_id is null")[0]
    assert column(database, "select count(*) from deletions")[0]


@pytest.mark.parametrize("name", ["email", "phone", "birthday", "age", "latitude", "timezone", "loyalty_status"])
def test_typed_columns_are_filled(database: duckdb.DuckDBPyConnection, name: str) -> None:
    assert column(database, f"select count({name}) from profiles") != [0]  # noqa: S608 - names from the list above
