"""DuckDB definitions of the output tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.tables import Column, ColumnType, Table

MARK = "Written by Tidemark."
"""Ends the comment of every table of ours, so that nobody else's is taken for one."""

_TYPES: dict[ColumnType, str] = {
    "STRING": "VARCHAR",
    "INTEGER": "BIGINT",
    "FLOAT": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
    "DATE": "DATE",
    "JSON": "JSON",
    "BYTES": "BLOB",
}


def duckdb_type(column: Column) -> str:
    """The column's type as DuckDB's `information_schema` prints it."""
    return _TYPES[column.type] + ("[]" if column.repeated else "")


def create_statements(table: Table) -> list[str]:
    """Statements that create the table, with NOT NULL constraints and comments.

    There is no PRIMARY KEY: its index costs more than the whole load of a large table, and the rows of a job are
    unique by construction. The table's comment names the key.
    """
    columns = ", ".join(_definition(column) for column in table.columns)
    comment = f"{table.description} {_key_sentence(table)} {MARK}"
    return [
        f'CREATE TABLE "{table.name}" ({columns})',
        f'COMMENT ON TABLE "{table.name}" IS {_literal(comment)}',
        *(
            f'COMMENT ON COLUMN "{table.name}"."{column.name}" IS {_literal(column.description)}'
            for column in table.columns
        ),
    ]


def create_all(tables: Iterable[Table]) -> str:
    """The same for several tables, as one text of one transaction: a statement by itself waits for the disk."""
    statements = [statement for table in tables for statement in create_statements(table)]
    return ";\n".join(["BEGIN", *statements, "COMMIT"])


def is_ours(comment: str | None, table: Table) -> bool:
    """Whether this is the comment of a table that we made; earlier releases' end before the mark."""
    return comment is not None and comment.endswith((MARK, _key_sentence(table)))


def _key_sentence(table: Table) -> str:
    return f"Key: {', '.join(table.key)}."


def _definition(column: Column) -> str:
    constraint = " NOT NULL" if column.required or column.repeated else ""
    return f'"{column.name}" {duckdb_type(column)}{constraint}'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
