"""People as a block of content sees them, read from a job's table `profiles`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import orjson

from transforms.content.known import COLUMNS
from transforms.content.render import Person

_ROWS = 5_000


def read_people(tables: duckdb.DuckDBPyConnection, profile: str | None = None) -> Iterator[tuple[str, Person]]:
    """Every profile that stands for somebody, with its id, in the order of ids; or the one of `profile`.

    A profile that was merged is nobody any more, and is left out.
    """
    columns = ", ".join(f'"{name}"' for name in COLUMNS)
    where, values = ("AND profile_id = ?", [profile]) if profile is not None else ("", [])
    query = (
        f"SELECT profile_id, CAST(traits AS TEXT), CAST(computed AS TEXT), segments, {columns} FROM profiles "  # noqa: S608 - our own schema's names
        f"WHERE merged_into IS NULL {where} ORDER BY profile_id"
    )
    found = tables.execute(query, values)
    while rows := found.fetchmany(_ROWS):
        for profile_id, traits, computed, segments, *typed in rows:
            yield profile_id, _person(traits, computed, segments, dict(zip(COLUMNS, typed, strict=True)))


def read_names(tables: duckdb.DuckDBPyConnection) -> tuple[set[str], set[str], set[str]]:
    """The names of traits and computed traits that any profile has, and of segments that ever had a member."""
    keys = "SELECT DISTINCT unnest(json_keys(CAST({} AS JSON))) FROM profiles"
    traits, computed = (
        {row[0] for row in tables.execute(keys.format(name)).fetchall()} for name in ("traits", "computed")
    )
    members = {row[0] for row in tables.execute("SELECT DISTINCT segment FROM memberships").fetchall()}
    return traits, computed, members


def _person(traits: str | None, computed: str | None, segments: list[str] | None, typed: dict[str, Any]) -> Person:
    sent = orjson.loads(traits or "{}")
    filled = {name: value for name, value in typed.items() if value is not None}
    return Person({**sent, **filled}, orjson.loads(computed or "{}"), frozenset(segments or ()))
