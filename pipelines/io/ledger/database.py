"""A ledger in a DuckDB file of its own.

A database has one writing process: a ledger is open while somebody works with it and no longer, and who finds it taken
waits a little. Each `write` is one transaction: after a crash all of it is there, or nothing.
"""

from __future__ import annotations

# ruff: noqa: S608 - statements are made of our own schema's names
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.io.ledger.ledger import Ledger, LedgerBusyError, LedgerError, Row
from schemas.arrow import arrow_schema, to_record_batch, with_schema
from schemas.block import TableBlock
from schemas.duckdb import create_statements, duckdb_type
from schemas.ledger import LEDGER_TABLES
from schemas.tables import Table

BUSY_SECONDS = 30.0
"""How long somebody waits for a ledger that another process has open."""

_BETWEEN_SECONDS = 0.1


@contextmanager
def open_database(
    path: Path, busy_seconds: float = BUSY_SECONDS, sleep: Callable[[float], object] = time.sleep
) -> Iterator[Ledger]:
    """The ledger in this file, which is made, with all its tables, if it is not there.

    Raises:
        LedgerBusyError: another process has had it for `busy_seconds`.
        LedgerError: it is no such database, or has another schema.
    """
    connection = _connected(path, busy_seconds, sleep)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        query = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
        found: dict[str, dict[str, str]] = {}
        for name, column, kind in connection.execute(query).fetchall():
            found.setdefault(name, {})[column] = kind
        for table in LEDGER_TABLES:
            _prepare(connection, table, found.get(table.name, {}), path)
        yield _DatabaseLedger(connection, path)
    finally:
        connection.close()


def _connected(path: Path, busy_seconds: float, sleep: Callable[[float], object]) -> duckdb.DuckDBPyConnection:
    waited = 0.0
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return duckdb.connect(str(path))
        except OSError as error:
            raise LedgerError(f"ledger {path}: {error.strerror}") from error
        except duckdb.Error as error:
            if "lock" not in str(error).lower():
                raise LedgerError(f"ledger {path}: cannot be opened as a DuckDB database") from error
            if waited >= busy_seconds:
                raise LedgerBusyError(f"ledger {path}: another process has it open") from error
            sleep(_BETWEEN_SECONDS)
            waited += _BETWEEN_SECONDS


def _prepare(connection: duckdb.DuckDBPyConnection, table: Table, found: Mapping[str, str], path: Path) -> None:
    """Creates a table, or adds the columns that it lacks. `found`: the types of those that it has."""
    if not found:
        for statement in create_statements(table):
            connection.execute(statement)
        return
    for column in table.columns:
        if found.get(column.name) == duckdb_type(column):
            continue
        if column.name in found or column.required:
            raise LedgerError(f"ledger {path}: {table.name}.{column.name} is not as expected: {duckdb_type(column)}")
        connection.execute(f'ALTER TABLE "{table.name}" ADD COLUMN "{column.name}" {duckdb_type(column)}')


class _DatabaseLedger(Ledger):
    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def read(self, table: Table, **values: str) -> list[Row]:
        names = ", ".join(f'"{name}"' for name in table.column_names())
        condition = " AND ".join(f'"{name}" = ?' for name in values) or "true"
        key = ", ".join(f'"{name}"' for name in table.key)
        query = f'SELECT {names} FROM "{table.name}" WHERE {condition} ORDER BY {key}'
        try:
            found: pa.Table = self._connection.sql(query, params=list(values.values())).to_arrow_table()
        except duckdb.Error as error:
            raise LedgerError(f"ledger {self._path}: {table.name} cannot be read") from error
        return list(to_rows(table, found.to_batches()))

    def write(self, rows: Mapping[Table, Iterable[Row]], gone: Mapping[Table, Iterable[Row]] | None = None) -> None:
        written = {table: _newest(table, of_table) for table, of_table in rows.items()}
        removed = {table: list(of_table) for table, of_table in (gone or {}).items()}
        try:
            self._connection.execute("BEGIN")
            try:
                for table, keys in removed.items():
                    self._remove(table, keys)
                for table, of_table in written.items():
                    places = [table.column_names().index(name) for name in table.key]
                    self._remove(table, [tuple(row[place] for place in places) for row in of_table])
                    self._insert(table, of_table)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except duckdb.Error as error:
            raise LedgerError(f"ledger {self._path}: cannot be written") from error

    def _remove(self, table: Table, keys: list[Row]) -> None:
        if not keys:
            return
        schema = arrow_schema(table)
        columns = zip(table.key, zip(*keys, strict=True), strict=True)
        given = pa.table({name: pa.array(values, schema.field(name).type) for name, values in columns})
        same = " AND ".join(f't."{name}" = g."{name}"' for name in table.key)
        self._connection.register("given", given)
        self._connection.execute(f'DELETE FROM "{table.name}" t USING given g WHERE {same}')
        self._connection.unregister("given")

    def _insert(self, table: Table, rows: list[Row]) -> None:
        if not rows:
            return
        batch = to_record_batch(table, TableBlock(table.name, 0, tuple(list(v) for v in zip(*rows, strict=True))))
        self._connection.register("given", pa.Table.from_batches([batch]))
        self._connection.execute(f'INSERT INTO "{table.name}" BY NAME SELECT * FROM given')
        self._connection.unregister("given")


def to_rows(table: Table, batches: Iterable[pa.RecordBatch]) -> Iterator[Row]:
    """Arrow data as the rows that a ledger takes."""
    schema = arrow_schema(table)
    for batch in batches:
        columns = [_plain(column) for column in with_schema(batch, schema).columns]
        yield from zip(*(column.to_pylist() for column in columns), strict=True)


def _plain(array: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(array.type):
        return array.cast(pa.int64())
    if pa.types.is_date(array.type):
        return array.cast(pa.string())
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def _newest(table: Table, rows: Iterable[Row]) -> list[Row]:
    places = [table.column_names().index(name) for name in table.key]
    return list({tuple(row[place] for place in places): row for row in rows}.values())
