"""A job's output with a few people in it, written without a job."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import duckdb

from schemas.duckdb import create_all
from schemas.tables import TABLES

HOUR = 3_600_000_000
NOW = 1_782_820_980_000_000
"""Where the story stands: an instant, microseconds since the epoch."""

Row = dict[str, Any]


def at(us: int) -> str:
    return f"make_timestamptz({us})"


def write_tables(path: Path, rows: list[tuple[str, Row]]) -> None:
    """Writes a database and puts it in place as a job does: in one step."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with duckdb.connect(str(new)) as connection:
        connection.execute(create_all(TABLES))
        lists = {table.name: {one.name: [] for one in table.columns if one.repeated} for table in TABLES}
        for name, given in rows:
            row = {**lists[name], **given}
            columns = ", ".join(f'"{column}"' for column in row)
            values = ", ".join(_sql(value) for value in row.values())
            connection.execute(f'INSERT INTO "{name}" ({columns}) VALUES ({values})')  # noqa: S608 - made in the test
    os.replace(new, path)  # noqa: PTH105 - as a job does it


def _sql(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_sql, value))}]"
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value) if value < NOW - 10_000 * HOUR else at(value)
    return "'" + str(value).replace("'", "''") + "'"


def profile(name: str, merged_into: str | None = None, **more: Any) -> tuple[str, Row]:
    user_id = name.removeprefix("user:") if name.startswith("user:") else None
    base = {
        "profile_id": name,
        "user_id": user_id,
        "traits": '{"plan": "gold"}',
        "computed": "{}",
        "event_count": 1,
    }
    return "profiles", {**base, "version": 1, "recorded_at": NOW, "merged_into": merged_into, **more}


def stay(
    name: str, segment: str, entered: int, exited: int | None = None, expires: int | None = None
) -> tuple[str, Row]:
    row = {"profile_id": name, "segment": segment, "entered_at": entered, "exited_at": exited, "expires_at": expires}
    return "memberships", {**row, "segment_version": "v", "recorded_at": NOW}


def link(anonymous_id: str, user_id: str, timestamp: int) -> tuple[str, Row]:
    return "identity_links", {
        "anonymous_id": anonymous_id,
        "user_id": user_id,
        "timestamp": timestamp,
        "message_id": f"{anonymous_id}-{user_id}",
    }


def change(number: int, name: str, segment: str, recorded: int = NOW) -> tuple[str, Row]:
    row = {"change_id": f"c{number}", "profile_id": name, "segment": segment, "segment_version": "v"}
    return "membership_changes", {
        **row,
        "change": "entered",
        "at": NOW + number,
        "cause": "event",
        "message_ids": ["m"],
        "recorded_at": recorded,
    }
