"""Reading the tables back, wherever a job wrote them: for preview, reports, and as the input of another job."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.io.files.parquet_store import fetch_parts, known_manifest
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, FilesOutput, Output, StoreOutput
from schemas.arrow import JSON, arrow_schema, with_schema
from schemas.errors import OutputError
from schemas.tables import Table
from transforms.columns.events import EVENT_FIELDS, OWNED_EVENTS, OWNER

ROWS_PER_BATCH = 50_000


def read_batches(output: Output, table: Table) -> Iterator[pa.RecordBatch]:
    """The rows of a table as Arrow record batches of `arrow_schema(table)`; from local places in the order written.

    Raises:
        OutputError: there is no such database, folder or table.
        BigQueryError: BigQuery cannot be read.
    """
    if isinstance(output, BigQueryOutput):
        from pipelines.io.bigquery.read import read_rows

        return read_rows(output.project, output.dataset, table)
    if isinstance(output, DuckDBOutput):
        return _read_database(output, table)
    return _read_store(output, table) if isinstance(output, StoreOutput) else _read_folder(output, table)


def read_table(output: Output, table: Table) -> pa.Table:
    """All rows of a table, in memory. Raises as `read_batches` does."""
    return pa.Table.from_batches(read_batches(output, table), schema=arrow_schema(table))


def to_owned_events(rows: pa.RecordBatch) -> tuple[pa.Table, pa.Table]:
    """Rows of the table `events` as events with their owners: those of users, and those of devices."""
    profile_ids = rows.column("profile_id")
    said = {
        **{field.name: rows.column(field.name) for field in EVENT_FIELDS if field.name != "name"},
        "name": pc.fill_null(rows.column("event"), ""),
        OWNER.name: pc.utf8_slice_codeunits(profile_ids, len("user:")),
    }
    arrays = (said[field.name] for field in OWNED_EVENTS)
    columns = [(array.storage if array.type == JSON else array) for array in arrays]
    events = pa.table(columns, OWNED_EVENTS.names).cast(OWNED_EVENTS)
    of_users = pc.starts_with(profile_ids, "user:")
    return events.filter(of_users), events.filter(pc.invert(of_users))


def _read_database(output: DuckDBOutput, table: Table) -> Iterator[pa.RecordBatch]:
    if not Path(output.path).is_file():
        raise OutputError(f"{output}: there is no such file")
    with duckdb.connect(output.path, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        try:
            relation = connection.table(table.name)
        except duckdb.CatalogException as error:
            raise OutputError(f"{output}: there is no table {table.name!r}") from error
        schema = arrow_schema(table)
        reader: pa.RecordBatchReader = relation.select(*table.column_names()).to_arrow_reader(ROWS_PER_BATCH)
        for batch in reader:
            yield with_schema(batch, schema)


def _read_folder(output: FilesOutput, table: Table) -> Iterator[pa.RecordBatch]:
    parts = sorted((Path(output.directory) / table.name).glob("*.parquet"))
    if not parts:
        raise OutputError(f"{output}: there is no {table.name}/*.parquet")
    yield from _read_parts(parts, table)


def _read_store(output: StoreOutput, table: Table) -> Iterator[pa.RecordBatch]:
    with tempfile.TemporaryDirectory(prefix="tidemark-") as folder:
        yield from _read_parts(fetch_parts(output, known_manifest(output), table, Path(folder)), table)


def _read_parts(parts: Iterable[Path], table: Table) -> Iterator[pa.RecordBatch]:
    schema = arrow_schema(table)
    for part in parts:
        with pq.ParquetFile(part) as file:
            for batch in file.iter_batches(ROWS_PER_BATCH, columns=list(table.column_names())):
                yield with_schema(batch, schema)
