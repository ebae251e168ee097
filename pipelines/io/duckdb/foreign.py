"""What a DuckDB file holds that Tidemark did not write. A job replaces the whole file, so there must be none of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb

from schemas.duckdb import duckdb_type, is_ours
from schemas.tables import TABLES, Table

_ELSE = """
    SELECT 'view', schema_name, view_name FROM duckdb_views() WHERE NOT internal AND NOT temporary
    UNION ALL SELECT 'index', schema_name, index_name FROM duckdb_indexes()
    UNION ALL SELECT 'sequence', schema_name, sequence_name FROM duckdb_sequences() WHERE NOT temporary
    UNION ALL SELECT DISTINCT 'macro', schema_name, function_name FROM duckdb_functions() WHERE NOT internal
    UNION ALL SELECT 'type', schema_name, type_name FROM duckdb_types() WHERE NOT internal
    UNION ALL SELECT 'schema', NULL, schema_name FROM duckdb_schemas()
        WHERE NOT internal AND database_name = current_database()
    ORDER BY ALL
"""
_TABLES = {table.name: table for table in TABLES}


def foreign_in_database(path: Path) -> list[str]:
    """Names of what is not ours, with its kind; none for an empty database.

    A table is ours if it is called as one of ours, stands in the schema `main`, has our comment (also that of earlier
    releases), and no column that ours has not.

    Raises:
        duckdb.Error: it is no database, or cannot be opened.
    """
    with duckdb.connect(str(path), read_only=True) as connection:
        found = list(_foreign_tables(connection))
        rest = connection.execute(_ELSE).fetchall()
    return found + [f"{kind} {name if schema in (None, 'main') else f'{schema}.{name}'}" for kind, schema, name in rest]


def _foreign_tables(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    columns: dict[tuple[str, str], dict[str, str]] = {}
    query = "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
    for schema, table, column, kind in connection.execute(query).fetchall():
        columns.setdefault((schema, table), {})[column] = kind
    query = "SELECT schema_name, table_name, comment FROM duckdb_tables() WHERE NOT internal AND NOT temporary"
    for schema, name, comment in sorted(connection.execute(query).fetchall()):
        table = _TABLES.get(name)
        if schema != "main":
            yield f"table {schema}.{name}"
        elif table is None or not is_ours(comment, table) or not _has_shape(columns[schema, name], table):
            yield f"table {name}"


def _has_shape(columns: dict[str, str], table: Table) -> bool:
    """Whether these are columns of ours, though an earlier release may have had fewer."""
    ours = {column.name: duckdb_type(column) for column in table.columns}
    return columns.items() <= ours.items() and set(table.key) <= columns.keys()
