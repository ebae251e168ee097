"""Shards into BigQuery: a load job per table into a staging table, then one transaction that replaces all tables.

Delivery: a reader sees the old rows of all tables, or the new ones. Each step can be repeated: a load truncates its
staging table, the transaction empties each log before it fills it. What a killed writer leaves behind are staging
tables that nobody reads and that expire by themselves.

With `create_tables` off, the staging tables `<table>_staging` must exist (columns as `bigquery_staging` says), and are
emptied by each load.
"""

# ruff: noqa: S608 - statements are made of our own schema's names and of a dataset that was checked

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from google.api_core import exceptions
from google.cloud import bigquery

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.bigquery.jobs import run_job, run_query
from pipelines.io.bigquery.service import NO_RETRY, REQUEST_SECONDS, rest_client, retried
from pipelines.io.outputs import BigQueryOutput
from pipelines.io.tables.staging import Shard, open_staging_database, select_rows
from schemas.bigquery import bigquery_staging, log_name
from schemas.tables import TABLES, Column, Table

UPLOAD_SECONDS = 3600.0

MOST_RAW_BYTES = 48_000_000
"""A row above 100 MB makes BigQuery refuse the load. A longer failed record is cut; its error says how long it was."""

STAGING_LIFE = datetime.timedelta(days=1)
"""After this a staging table that was left behind is gone."""


def write_dataset(output: BigQueryOutput, staging: Path, shards: Mapping[str, Sequence[Shard]]) -> dict[str, int]:
    """Replace the rows of all tables by the shards' rows. Returns rows per table.

    Raises:
        BigQueryError: BigQuery refused, or was not to be reached for longer than the retries last.
    """
    if output.layout != "append":
        raise BigQueryError(f"output {output}: a bounded job writes the layout `append`, not {output.layout!r}")
    client = rest_client(output.project)
    suffix = f"staging_{uuid.uuid4().hex[:12]}" if output.create_tables else "staging"
    filled = [table for table in TABLES if shards.get(table.name)]
    rows = {table.name: 0 for table in TABLES}
    with ThreadPoolExecutor(max_workers=len(TABLES)) as loads:  # a load job is mostly waiting
        started = []
        for table in filled:
            path = staging / f"{table.name}-load.parquet"
            rows[table.name] = _merge(table, staging, shards[table.name], path)
            started.append(
                loads.submit(
                    _load, client, bigquery_staging(table, output.project, output.dataset, suffix), path, output
                )
            )
        for load in started:
            load.result()
    script = replace_script(output, {table.name for table in filled}, suffix)
    run_query(client, "replace the tables", script)
    if output.create_tables:
        for table in filled:
            _drop(client, f"{output.project}.{output.dataset}.{table.name}_{suffix}")
    return rows


def replace_script(output: BigQueryOutput, filled: set[str], suffix: str) -> str:
    """One transaction: every log emptied, and filled from its staging table if that is one of `filled`.

    DELETE and not TRUNCATE: it also takes rows that a stream wrote a moment ago.
    """
    place = f"{output.project}.{output.dataset}"
    statements = ["BEGIN TRANSACTION"]
    for table in TABLES:
        statements.append(f"DELETE FROM `{place}.{log_name(table)}` WHERE TRUE")
        if table.name in filled:
            columns = ", ".join(f"`{name}`" for name in table.column_names())
            values = ", ".join(_from_staging(column) for column in table.columns)
            statements.append(
                f"INSERT INTO `{place}.{log_name(table)}` ({columns}, row_version, row_deleted, row_written_at)"
                f" SELECT {values}, 0, FALSE, CURRENT_TIMESTAMP() FROM `{place}.{table.name}_{suffix}`"
            )
    statements.append("COMMIT TRANSACTION")
    return ";\n".join(statements) + ";"


def _from_staging(column: Column) -> str:
    name = f"`{column.name}`"
    if column.type == "BYTES":
        return f"FROM_BASE64({name})"
    if column.type == "JSON":
        # JSON that BigQuery cannot hold (nested too deeply) is kept as a JSON string of the text.
        parsed = f"SAFE.PARSE_JSON({name}, wide_number_mode=>'round')"
        return f"IF({name} IS NULL, NULL, COALESCE({parsed}, TO_JSON({name})))"
    return name


# --- steps -----------------------------------------------------------------------------------------------------------


def _merge(table: Table, staging: Path, shards: Sequence[Shard], path: Path) -> int:
    """All shards of a table as one file, the way `bigquery_staging` has it: one table costs one load job."""
    query, parameters = select_rows(table, shards)
    columns = ", ".join(_to_staging(column) for column in table.columns)
    with open_staging_database(staging) as connection:
        counted = connection.execute(
            f"COPY (SELECT {columns} FROM ({query})) TO '{str(path).replace(chr(39), chr(39) * 2)}'"
            " (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)",
            parameters,
        ).fetchone()
    return int(counted[0]) if counted else 0


def _to_staging(column: Column) -> str:
    name = f'"{column.name}"'
    if column.type == "BYTES":
        return f"to_base64({name}[1:{MOST_RAW_BYTES}]) AS {name}"
    if column.type == "JSON":
        return f"CAST({name} AS VARCHAR) AS {name}"
    return name


def _create_staging(client: bigquery.Client, resource: dict[str, Any]) -> None:
    table = bigquery.Table.from_api_repr(resource)
    table.expires = datetime.datetime.now(datetime.UTC) + STAGING_LIFE
    try:
        retried("create staging table", lambda: client.create_table(table, retry=NO_RETRY, timeout=REQUEST_SECONDS))
    except exceptions.Conflict:
        return  # by an attempt whose answer was lost: the name is this run's own


def _load(client: bigquery.Client, resource: dict[str, Any], path: Path, output: BigQueryOutput) -> None:
    if output.create_tables:
        _create_staging(client, resource)
    options = bigquery.ParquetOptions()
    options.enable_list_inference = True
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
        create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
        schema=[bigquery.SchemaField.from_api_repr(field) for field in resource["schema"]["fields"]],
        parquet_options=options,
    )
    target = bigquery.TableReference.from_api_repr(resource["tableReference"])

    def start(_job_id: str) -> bigquery.LoadJob:
        # Under an id of its own each time: a job of an upload that broke off may stay without an end.
        with path.open("rb") as file:
            return client.load_table_from_file(file, target, num_retries=0, job_config=config, timeout=UPLOAD_SECONDS)

    run_job(f"load {resource['tableReference']['tableId']}", start)


def _drop(client: bigquery.Client, name: str) -> None:
    retried(
        "drop staging table",
        lambda: client.delete_table(name, retry=NO_RETRY, timeout=REQUEST_SECONDS, not_found_ok=True),
    )
