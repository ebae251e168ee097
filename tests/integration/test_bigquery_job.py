"""The whole bounded job on the example shop: DuckDB, Parquet and BigQuery hold equal rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.io.bigquery_service import rest_client
from pipelines.io.output import parse_output
from pipelines.io.tables import read_table
from pipelines.profiles import main
from schemas.tables import TABLES
from services.service import Running
from tests.integration.bigquery_place import comparable, new_output

pytest_plugins = ("tests.integration.bigquery_fixtures",)


ROOT = Path(__file__).parents[2]


def test_all_outputs_hold_equal_rows(bigquery: Running, tmp_path: Path) -> None:
    options = [f"--input={ROOT}/examples/events/*", f"--segments={ROOT}/segments", f"--traits={ROOT}/traits"]
    outputs = [f"duckdb:{tmp_path / 'shop.duckdb'}", f"files:{tmp_path / 'shop'}", str(new_output())]
    for output in outputs:
        assert main([*options, f"--output={output}"]) == 0
    for table in TABLES:
        found = [read_table(parse_output(output), table) for output in outputs]
        rows = [
            comparable(table, list(zip(*[column.to_pylist() for column in one.columns], strict=True))) for one in found
        ]
        assert rows[0]
        assert rows[0] == rows[1], table.name
        assert rows[0] == rows[2], table.name


def test_without_create_tables_a_job_refuses_what_is_missing(
    bigquery: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = new_output()
    options = [f"--input={ROOT}/examples/events/*", f"--segments={ROOT}/segments", f"--output={output}"]
    assert main([*options, "--create_tables=false"]) == 2
    assert f"there is no dataset {output.dataset!r}" in capsys.readouterr().err
    assert output.dataset not in [dataset.dataset_id for dataset in rest_client(output.project).list_datasets()]
