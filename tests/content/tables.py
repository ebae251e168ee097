"""A job's tables with three made-up people in them."""

from pathlib import Path
from typing import Any

import duckdb

from pipelines.io.outputs import DuckDBOutput
from schemas.duckdb import create_all
from schemas.tables import PROFILES, TABLES

_ADA = {
    "first_name": "Ada <3",
    "city": "Berlin",
    "traits": '{"plan": "gold", "pets": {"cat": "Tom"}}',
    "segments": ["vip"],
}
_PEOPLE: dict[str, dict[str, Any]] = {"user:ada": _ADA, "user:bo": {"city": "Köln"}, "anon:d1": {}}


def write_people(path: Path) -> DuckDBOutput:
    """The database, all tables in it."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(create_all(TABLES))
        for profile_id, values in _PEOPLE.items():
            row = {"profile_id": profile_id, "traits": "{}", "computed": "{}", "event_count": 1, "version": 1}
            row |= {"anonymous_ids": [], "segments": [], "tags": []} | values
            row |= {"recorded_at": "2026-01-01T00:00:00Z"}
            marks = ", ".join("?" for _ in row)
            statement = f"INSERT INTO {PROFILES.name} ({', '.join(row)}) VALUES ({marks})"  # noqa: S608 - our own names
            connection.execute(statement, list(row.values()))
    return DuckDBOutput(str(path))
