"""Shards into a DuckDB file: a new database beside the target takes its place in one rename."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from pipelines.io.files.atomic import replace_file
from pipelines.io.tables.staging import Shard, open_staging_database, select_rows
from schemas.duckdb import create_all
from schemas.tables import TABLES

_OPTIONS = "(STORAGE_VERSION 'v1.2.0')"
"""The oldest format that has zstd for strings; DuckDB 1.2 and later read it."""


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
    connection.execute(create_all(TABLES))
    rows = {}
    for table in TABLES:
        rows[table.name] = 0
        if shards.get(table.name):
            query, parameters = select_rows(table, shards[table.name])
            inserted = connection.execute(f'INSERT INTO "{table.name}" {query}', parameters).fetchone()
            rows[table.name] = inserted[0] if inserted else 0
    return rows


def _fold_log(target: Path) -> None:
    """Bring a write-ahead log beside the old database into it: the new database must not meet it."""
    log = target.with_name(target.name + ".wal")
    if log.exists():
        with duckdb.connect(str(target)) as connection:
            connection.execute("CHECKPOINT")
        log.unlink(missing_ok=True)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
