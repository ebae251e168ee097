"""The whole bounded job on the example shop: DuckDB, Parquet and BigQuery hold equal rows."""

from __future__ import annotations

from pathlib import Path

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
