"""The whole bounded job on the example shop: DuckDB, Parquet and BigQuery hold equal rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.io.bigquery.service import rest_client
from pipelines.io.outputs import parse_output
from pipelines.io.tables.read_back import read_table
from pipelines.profiles import main
from schemas.tables import EVENTS, IDENTITY_LINKS, MEMBERSHIP_CHANGES, MEMBERSHIPS, TABLES, Table
from services.service import Running
from tests.integration.bigquery_place import comparable, new_output

pytest_plugins = ("tests.integration.bigquery_fixtures",)


ROOT = Path(__file__).parents[2]
TIMESTAMP = EVENTS.column_names().index("timestamp")
RETRACTS = [
    {"type": "retract", "messageId": f"r-{target}", "retracts": target, "timestamp": "2026-07-01T00:00:00Z"}
    for target in ("cc670a46bf1dd814", "never-seen")
]
"""The shop takes nothing back by itself: an event that it holds, and one that it does not."""
WIRE = "%Y-%m-%dT%H:%M:%S.%fZ"


def rows_of(output: str, table: Table) -> list[tuple[Any, ...]]:
    columns = read_table(parse_output(output), table).columns
    return comparable(table, list(zip(*[column.to_pylist() for column in columns], strict=True)))


def test_all_outputs_hold_equal_rows(bigquery: Running, tmp_path: Path) -> None:
    retracts = tmp_path / "retracts.ndjson"
    retracts.write_text("".join(json.dumps(retract) + "\n" for retract in RETRACTS))
    inputs = [f"--input={ROOT}/examples/events/*", f"--input={retracts}"]
    options = [*inputs, f"--segments={ROOT}/segments", f"--traits={ROOT}/traits"]
    outputs = [f"duckdb:{tmp_path / 'shop.duckdb'}", f"files:{tmp_path / 'shop'}", str(new_output())]
    for output in outputs:
        assert main([*options, f"--output={output}"]) == 0
    for table in TABLES:
        rows = [rows_of(output, table) for output in outputs]
        assert rows[0], table.name
        assert rows[0] == rows[1], table.name
        assert rows[0] == rows[2], table.name


def test_the_events_of_a_job_are_the_input_of_another(bigquery: Running, tmp_path: Path) -> None:
    first, again, some = new_output(), f"duckdb:{tmp_path / 'again.duckdb'}", f"duckdb:{tmp_path / 'some.duckdb'}"
    rules = [f"--segments={ROOT}/segments", f"--traits={ROOT}/traits", "--as_of=2027-01-01T00:00:00Z"]
    assert main([f"--input={ROOT}/examples/events/*", *rules, f"--output={first}"]) == 0
    events = f"{first}.events"
    assert main([f"--input={events}", *rules, f"--output={again}"]) == 0
    for table in (EVENTS, MEMBERSHIPS, MEMBERSHIP_CHANGES, IDENTITY_LINKS):
        assert rows_of(again, table) == rows_of(str(first), table), table.name
    instants = sorted(row[TIMESTAMP] for row in rows_of(again, EVENTS))
    start, stop = instants[len(instants) // 3], instants[len(instants) // 2]
    limits = f"?from={start:{WIRE}}&to={stop:{WIRE}}"
    assert main([f"--input={events}{limits}", *rules, f"--output={some}"]) == 0
    found = sorted(row[TIMESTAMP] for row in rows_of(some, EVENTS))
    assert found == [at for at in instants if start <= at < stop]


def test_without_create_tables_a_job_refuses_what_is_missing(
    bigquery: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = new_output()
    options = [f"--input={ROOT}/examples/events/*", f"--segments={ROOT}/segments", f"--output={output}"]
    assert main([*options, "--create_tables=false"]) == 2
    assert f"there is no dataset {output.dataset!r}" in capsys.readouterr().err
    assert output.dataset not in [dataset.dataset_id for dataset in rest_client(output.project).list_datasets()]
