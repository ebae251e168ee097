"""Reading the tables back from BigQuery: a query, its rows through the Storage Read API where the server has one."""

from __future__ import annotations

# ruff: noqa: S608 - statements are made of our own schema's names and of a dataset that was checked
import datetime
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from google.api_core import exceptions
from google.cloud import bigquery

from pipelines.io.bigquery_service import REQUEST_SECONDS, BigQueryError, read_client, rest_client, retried
from schemas.arrow import arrow_schema, with_schema
from schemas.tables import EVENTS, Column, Table

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
    config = bigquery.QueryJobConfig(query_parameters=parameters or [])

    def start() -> Any:
        job = client.query(query, job_config=config, retry=None, job_retry=None, timeout=REQUEST_SECONDS)
        return job.result(retry=None)

    try:
        rows = retried(f"read {table.name}", start)
    except exceptions.GoogleAPICallError as error:
        raise BigQueryError(f"read {table.name}: {type(error).__name__}: {error.message}") from error
    schema = arrow_schema(table)
    for batch in rows.to_arrow_iterable(bqstorage_client=read_client()):
        yield with_schema(batch, schema)


def _selected(column: Column) -> str:
    if column.type == "JSON":
        return f"IF(`{column.name}` IS NULL, NULL, TO_JSON_STRING(`{column.name}`)) AS `{column.name}`"
    return f"`{column.name}`"
