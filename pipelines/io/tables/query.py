"""A job's tables, wherever it wrote them, to be asked in SQL."""

from __future__ import annotations

import tempfile

# ruff: noqa: S608 - statements are made of our own schema's names
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.io.files.parquet_store import fetch_parts, known_manifest
from pipelines.io.ledger import open_ledger
from pipelines.io.ledger.ledger import Row
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, FilesOutput, Output, StoreOutput
from pipelines.io.tables.read_back import read_batches
from schemas.arrow import arrow_schema, to_record_batch
from schemas.block import TableBlock
from schemas.duckdb import duckdb_type
from schemas.errors import OutputError
from schemas.ledger import LEDGER_TABLES
from schemas.tables import TABLES, Column, Table


@contextmanager
def open_tables(output: Output, tables: Sequence[Table] = TABLES) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection that has the output's tables (all, or those named), to read from. Its time zone is UTC.

    Raises:
        OutputError: there is no such database or folder, or a table is missing.
    """
    with duckdb.connect() as connection, tempfile.TemporaryDirectory(prefix="tidemark-") as copies:
        connection.execute("SET TimeZone = 'UTC'")
        if isinstance(output, DuckDBOutput):
            _attach(connection, output)
        if isinstance(output, StoreOutput):
            manifest = known_manifest(output)  # once: all tables are those of one run
            for table in tables:
                _view_of_parts(connection, table, fetch_parts(output, manifest, table, Path(copies)))
        else:
            for table in tables:
                _make_view(connection, output, table)
        yield connection


def add_ledger(connection: duckdb.DuckDBPyConnection, place: Output) -> None:
    """Adds the tables of a ledger to those of a job; a ledger that no command has written yet has none.

    Raises:
        OutputError: it is there and cannot be read.
    """
    if isinstance(place, BigQueryOutput):
        with open_ledger(place) as ledger:
            for table in LEDGER_TABLES:
                rows = list(ledger.read(table))
                connection.register("rows", to_record_batch(table, TableBlock(table.name, 0, _columns(table, rows))))
                connection.execute(f'CREATE TABLE "{table.name}" AS SELECT * FROM rows')
                connection.unregister("rows")
    elif isinstance(place, DuckDBOutput) and Path(place.path).is_file():
        _attach(connection, place, "ledger")
        query = "SELECT table_name FROM duckdb_tables() WHERE database_name = 'ledger'"
        there = {row[0] for row in connection.execute(query).fetchall()}
        for table in LEDGER_TABLES:
            if table.name in there:
                connection.execute(f'CREATE VIEW "{table.name}" AS SELECT * FROM ledger."{table.name}"')


def _columns(table: Table, rows: list[Row]) -> tuple[list[Any], ...]:
    return tuple([row[i] for row in rows] for i in range(len(table.columns)))


def _attach(connection: duckdb.DuckDBPyConnection, output: DuckDBOutput, name: str = "job") -> None:
    if not Path(output.path).is_file():
        raise OutputError(f"{output}: there is no such file")
    path = output.path.replace("'", "''")
    try:
        connection.execute(f"ATTACH '{path}' AS {name} (READ_ONLY)")
    except duckdb.Error as error:
        raise OutputError(f"{output}: cannot be opened as a DuckDB database") from error


def _make_view(
    connection: duckdb.DuckDBPyConnection, output: DuckDBOutput | FilesOutput | BigQueryOutput, table: Table
) -> None:
    if isinstance(output, BigQueryOutput):
        rows = pa.RecordBatchReader.from_batches(arrow_schema(table), read_batches(output, table))
        connection.register("rows", rows)
        connection.execute(f'CREATE TABLE "{table.name}" AS SELECT * FROM rows')
        connection.unregister("rows")
    elif isinstance(output, DuckDBOutput):
        try:
            _view(connection, table, f'job."{table.name}"')
        except duckdb.CatalogException as error:
            raise OutputError(f"{output}: there is no table {table.name!r}") from error
    else:
        parts = sorted((Path(output.directory) / table.name).glob("*.parquet"))
        if not parts:
            raise OutputError(f"{output}: there is no {table.name}/*.parquet")
        _view_of_parts(connection, table, parts)


def _view_of_parts(connection: duckdb.DuckDBPyConnection, table: Table, parts: Sequence[Path]) -> None:
    names = ", ".join(f"'{name}'" for name in (str(part).replace("'", "''") for part in parts))
    _view(connection, table, f"read_parquet([{names}])")


def _view(connection: duckdb.DuckDBPyConnection, table: Table, source: str) -> None:
    """A view of the table as it is today: a column that came after the tables were written is empty."""
    there = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    columns = (
        f'"{column.name}"' if column.name in there else f'{_empty(column)} AS "{column.name}"'
        for column in table.columns
    )
    connection.execute(f'CREATE VIEW "{table.name}" AS SELECT {", ".join(columns)} FROM {source}')


def _empty(column: Column) -> str:
    return f"CAST({'[]' if column.repeated else 'NULL'} AS {duckdb_type(column)})"
