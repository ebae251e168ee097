"""A dataset of its own for each test, and its rows as they compare."""

from __future__ import annotations

import json
import uuid
from typing import Any

from pipelines.io.bigquery.service import rest_client
from pipelines.io.outputs import BigQueryOutput
from pipelines.io.tables.read_back import read_table
from schemas.tables import TABLES, Table
from tests.io.rows import read_rows

PROJECT = "test"


def new_output() -> BigQueryOutput:
    return BigQueryOutput(PROJECT, f"shop_{uuid.uuid4().hex[:12]}")


def query(sql: str) -> list[tuple[Any, ...]]:
    job = rest_client(PROJECT).query(sql, retry=None, job_retry=None)
    return [tuple(row.values()) for row in job.result(retry=None)]


def comparable(table: Table, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Sorted by key; JSON as its value: BigQuery keeps the value, not the text."""
    key = [table.column_names().index(name) for name in table.key]
    parsed = [
        tuple(
            json.dumps(json.loads(value), sort_keys=True) if column.type == "JSON" and value is not None else value
            for column, value in zip(table.columns, row, strict=True)
        )
        for row in rows
    ]
    return sorted(parsed, key=lambda row: [str(row[place]) for place in key])


def rows_in(output: BigQueryOutput, table: Table) -> list[tuple[Any, ...]]:
    found = read_table(output, table)
    columns = [column.to_pylist() for column in found.columns]
    return comparable(table, list(zip(*columns, strict=True)))


def expect(output: BigQueryOutput, numbers: list[int], *tables: Table) -> None:
    """Every table holds the example rows of these numbers, and no others."""
    for table in tables or TABLES:
        assert rows_in(output, table) == comparable(table, read_rows(table, numbers)), table.name
