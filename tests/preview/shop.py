"""A small made-up shop, its rules, and what the main job writes for them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from examples.history import make_history
from pipelines import preview, profiles

ROOT = Path(__file__).parents[2]
MEMBERSHIPS = """
    select columns(* exclude (entered_at, exited_at, expires_at, recorded_at)),
           epoch_us(entered_at), epoch_us(exited_at), epoch_us(expires_at), epoch_us(recorded_at)
    from memberships where segment = ? order by profile_id, entered_at
"""


def write_events(path: Path, events: int = 3_000) -> Path:
    """Events of the example shop, broken ones and duplicates among them."""
    path.write_bytes(b"\n".join(make_history(events, 11, 30, 0.01)) + b"\n")
    return path


def run_main_job(arguments: list[str], output: Path) -> duckdb.DuckDBPyConnection:
    """The main job's tables."""
    assert profiles.main([*arguments, "--output", f"duckdb:{output}"]) == 0
    return duckdb.connect(str(output), read_only=True)


def written(database: duckdb.DuckDBPyConnection, segment: str) -> list[tuple[Any, ...]]:
    """Rows of `memberships`: every column, instants as microseconds."""
    return database.execute(MEMBERSHIPS, [segment]).fetchall()


def previewed(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Rows of a preview's JSON, as `written` gives them."""
    instants = ("entered_at", "exited_at", "expires_at", "recorded_at")
    return [
        (
            *(value for name, value in row.items() if name not in instants),
            *(None if row[name] is None else _microseconds(row[name]) for name in instants),
        )
        for row in rows
    ]


def _microseconds(text: str) -> int:
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def preview_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What the command prints with --json."""
    capsys.readouterr()
    status = preview.main([*arguments, "--json"])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    found: dict[str, Any] = json.loads(printed.out)
    return found
