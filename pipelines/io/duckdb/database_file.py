"""Shards into a DuckDB file: a new database beside the target takes its place in one rename."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

from pipelines.io.files.atomic import replace_file
from pipelines.io.tables.staging import Shard, open_staging_database, select_rows
from schemas.duckdb import create_all
from schemas.tables import TABLES, Table

_OPTIONS = "(STORAGE_VERSION 'v1.2.0')"
"""The oldest format that has zstd for strings; DuckDB 1.2 and later read it."""
_TABLES_AT_ONCE = 2


def write_database(target: Path, staging: Path, shards: Mapping[str, Sequence[Shard]]) -> dict[str, int]:
    """Replace the database at `target` by one that holds all tables, and the shards' rows. Returns rows per table.

    A crash at any point leaves the previous file. Calling it again with the same shards gives the same rows.
    """
    new = staging / "new.duckdb"
    new.unlink(missing_ok=True)
    with open_staging_database(staging) as connection:
        connection.execute(f"ATTACH '{_quoted(new)}' AS output {_OPTIONS}")
        connection.execute("USE output")
        # Trying out every string compression costs as much as the rest of the load, and zstd wins anyway.
        connection.execute("SET force_compression = 'zstd'")
        rows = _fill(connection, shards)
        connection.execute("USE memory")
        connection.execute("DETACH output")
    _fold_log(target)
    replace_file(new, target)
    return rows


def _fill(connection: duckdb.DuckDBPyConnection, shards: Mapping[str, Sequence[Shard]]) -> dict[str, int]:
    """Two tables at a time: to sort a small one keeps one core busy, and the other one has the events meanwhile."""
    connection.execute(create_all(TABLES))
    rows = dict.fromkeys((table.name for table in TABLES), 0)
    filled = [table for table in TABLES if shards.get(table.name)]
    filled.sort(key=lambda table: -sum(shard.rows for shard in shards[table.name]))
    with ThreadPoolExecutor(_TABLES_AT_ONCE) as pool:
        inserted = pool.map(lambda table: _insert(connection, table, shards[table.name]), filled)
        rows.update(zip((table.name for table in filled), inserted, strict=True))
    return rows


def _insert(connection: duckdb.DuckDBPyConnection, table: Table, shards: Sequence[Shard]) -> int:
    query, parameters = select_rows(table, shards)
    with connection.cursor() as own:
        inserted = own.execute(f'INSERT INTO output."{table.name}" {query}', parameters).fetchone()
    return inserted[0] if inserted else 0


def _fold_log(target: Path) -> None:
    """Bring a write-ahead log beside the old database into it: the new database must not meet it."""
    log = target.with_name(target.name + ".wal")
    if log.exists():
        with duckdb.connect(str(target)) as connection:
            connection.execute("CHECKPOINT")
        log.unlink(missing_ok=True)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
