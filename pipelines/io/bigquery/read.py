"""Reading the tables back from BigQuery: a query, its rows through the Storage Read API where the server has one."""

from __future__ import annotations

# ruff: noqa: S608 - statements are made of our own schema's names and of a dataset that was checked
import datetime
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.cloud import bigquery

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.bigquery.jobs import run_query
from pipelines.io.bigquery.service import RETRY_SECONDS, is_transient, read_client, rest_client
from schemas.arrow import arrow_schema, with_schema
from schemas.tables import EVENTS, Column, Table

_PAGES = Retry(predicate=is_transient, initial=0.25, maximum=32.0, timeout=RETRY_SECONDS)
"""For the pages of a result: each can be asked for again. The Storage Read API goes on by itself where it broke off."""

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def read_events(
    project: str, dataset: str, start_us: int | None = None, stop_us: int | None = None
) -> Iterator[pa.RecordBatch]:
    """The accepted events with `start_us <= timestamp < stop_us` (microseconds UTC; None: no limit).

    The limits reach the day partitions: what lies outside them is neither read nor paid for. Order is not defined.

    Raises:
        BigQueryError: the table cannot be read.
    """
    conditions, parameters = [], []
    for name, operator, limit in (("start", ">=", start_us), ("stop", "<", stop_us)):
        if limit is not None:
            instant = _EPOCH + datetime.timedelta(microseconds=limit)
            conditions.append(f"`timestamp` {operator} @{name}")
            parameters.append(bigquery.ScalarQueryParameter(name, "TIMESTAMP", instant))
    return read_rows(project, dataset, EVENTS, " AND ".join(conditions) or "TRUE", parameters)


def read_rows(
    project: str, dataset: str, table: Table, condition: str = "TRUE", parameters: list[Any] | None = None
) -> Iterator[pa.RecordBatch]:
    """Rows of a table as Arrow record batches of `arrow_schema(table)`.

    Args:
        project: the Google Cloud project.
        dataset: the dataset's id.
        table: the table.
        condition: SQL over its columns.
        parameters: values of the condition's `@names`.

    Raises:
        BigQueryError: the table cannot be read.
    """
    client = rest_client(project)
    columns = ", ".join(_selected(column) for column in table.columns)
    query = f"SELECT {columns} FROM `{project}.{dataset}.{table.name}` WHERE {condition}"
    schema = arrow_schema(table)
    job = run_query(client, f"read {table.name}", query, parameters)
    try:
        rows = job.result(retry=_PAGES)
        for batch in rows.to_arrow_iterable(bqstorage_client=read_client()):
            yield with_schema(batch, schema)
    except (exceptions.GoogleAPICallError, exceptions.RetryError) as error:
        raise BigQueryError(f"read {table.name}: {type(error).__name__}: {error.message}") from error


def ask(project: str, what: str, query: str, parameters: list[Any]) -> Iterator[tuple[Any, ...]]:
    """Rows of a query's result, few of them.

    Raises:
        BigQueryError: it failed; `what` names it.
    """
    job = run_query(rest_client(project), what, query, parameters)
    try:
        yield from (tuple(row.values()) for row in job.result(retry=_PAGES))
    except (exceptions.GoogleAPICallError, exceptions.RetryError) as error:
        raise BigQueryError(f"{what}: {type(error).__name__}: {error.message}") from error


def _selected(column: Column) -> str:
    if column.type == "JSON":
        return f"IF(`{column.name}` IS NULL, NULL, TO_JSON_STRING(`{column.name}`)) AS `{column.name}`"
    return f"`{column.name}`"
