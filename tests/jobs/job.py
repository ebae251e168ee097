"""Runs the main job in this process, as its command line does, and reads what it wrote."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import orjson

from pipelines.profiles import main
from pipelines.words.job_progress import Rhythm
from schemas.tables import TABLES, Table

Row = dict[str, Any]
HOUR_SECONDS = 3600
Tables = dict[str, list[Row]]


@dataclass(frozen=True)
class Ran:
    """A finished run: its exit status, what it printed, and where its output is."""

    status: int | str | None
    out: str
    err: str
    database: Path

    def tables(self) -> Tables:
        """Every table of the output."""
        return read_tables(self.database)


def run_job(folder: Path, *options: str, segments: str = "segments", events: str = "events") -> Ran:
    """Runs `python -m pipelines.profiles` on `events` and `segments`, into `out.duckdb`, all of them in `folder`."""
    database = folder / "out.duckdb"
    places = [f"--input={folder / events}", f"--segments={folder / segments}", f"--output=duckdb:{database}"]
    return run_command(database, *places, *options)


def run_command(database: Path, *arguments: str) -> Ran:
    """Runs the command with these arguments."""
    out, err = io.StringIO(), io.StringIO()
    status: int | str | None
    quiet = patch("pipelines.words.job_progress.LOG", Rhythm(HOUR_SECONDS, HOUR_SECONDS))  # however slow the machine
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), quiet:
        try:
            status = main(arguments)
        except SystemExit as left:
            status = left.code
    return Ran(status, out.getvalue(), err.getvalue(), database)


def write_lines(file: Path, lines: Iterable[bytes | dict[str, Any]]) -> Path:
    """Messages, as JSON or as the bytes that they are, one a line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join((orjson.dumps(line) if isinstance(line, dict) else line) + b"\n" for line in lines))
    return file


def write_segment(folder: Path, name: str, when: str, **fields: Any) -> Path:
    """A segment file with this rule."""
    file = folder / "segments" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    more = "".join(f"{field}: {value}\n" for field, value in fields.items())
    file.write_text(f"description: A segment.\n{more}when: >\n  {when}\n")
    return file


def read_tables(database: Path) -> Tables:
    """Every table, in order of its key. Instants are microseconds, dates text, JSON its value."""
    with duckdb.connect(str(database), read_only=True) as connection:
        return {table.name: _read(connection, table) for table in TABLES}


def _read(connection: duckdb.DuckDBPyConnection, table: Table) -> list[Row]:
    forms = {"TIMESTAMP": 'epoch_us("{}")', "DATE": '"{}"::VARCHAR', "JSON": '"{}"::VARCHAR'}
    columns = ", ".join(forms.get(column.type, '"{}"').format(column.name) for column in table.columns)
    query = f"SELECT {columns} FROM {table.name} ORDER BY {', '.join(table.key)}"  # noqa: S608 - our own names
    rows = [dict(zip(table.column_names(), row, strict=True)) for row in connection.execute(query).fetchall()]
    for name in (column.name for column in table.columns if column.type == "JSON"):
        for row in rows:
            row[name] = None if row[name] is None else orjson.loads(row[name])
    return rows


def read_bytes(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every table as it stands, in order of its key: JSON as its text."""
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return {
            table.name: connection.execute(f"FROM {table.name} ORDER BY {', '.join(table.key)}").fetchall()
            for table in TABLES
        }
