"""A dataset of its own for each test, and its rows as they compare."""

from __future__ import annotations

import dataclasses
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipelines.io.bigquery.service import WRITE_HOST, rest_client
from pipelines.io.outputs import BigQueryOutput
from pipelines.io.tables.read_back import read_table
from schemas.tables import TABLES, Table
from services.service import Running
from tests.io.faults import Plan, rest_proxy, write_proxy
from tests.io.rows import read_rows

PROJECT = "test"


@contextmanager
def one_after_the_other(emulator: Running) -> Iterator[Running]:
    """The emulator behind proxies that pass one request after the other, from however many processes (faults.py)."""
    turn = threading.Lock()
    with (
        rest_proxy(emulator.endpoints["http"], Plan(1, share=0), turn) as rest,
        write_proxy(emulator.endpoints["grpc"], Plan(1, share=0), turn) as write,
    ):
        environment = {"BIGQUERY_EMULATOR_HOST": f"http://{rest}", WRITE_HOST: write}
        yield dataclasses.replace(emulator, endpoints={"http": rest, "grpc": write}, environment=environment)


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
