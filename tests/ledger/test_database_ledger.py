"""A ledger in a file: rows stand by their key, a write is whole or not at all, and only one process has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from pipelines.io.ledger import Ledger, LedgerBusyError, LedgerError, ledger_of, open_ledger
from pipelines.io.ledger.database import open_database
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, FilesOutput
from schemas.ledger import ACTIVATIONS, AUDITS, DESTINATION_RECORDS, DUPLICATES, LEDGER_TABLES
from schemas.tables import TABLES

NOON_US = 1_782_820_800_000_000


def activation(profile: str, state: str = "pending", reason: str | None = None) -> tuple[object, ...]:
    return ("news", profile, "recent_buyers", True, state, "hash", None, 1, reason, NOON_US)


def states(ledger: Ledger) -> dict[str, str]:
    return {row[1]: row[4] for row in ledger.read(ACTIVATIONS)}


def test_the_place_of_a_ledger() -> None:
    assert str(ledger_of(DuckDBOutput("out/x.duckdb"))) == "duckdb:out/x.duckdb.ledger.duckdb"
    assert str(ledger_of(FilesOutput("out/dir/"))) == "duckdb:out/dir.ledger.duckdb"
    assert ledger_of(BigQueryOutput("p", "d", layout="cdc")) == BigQueryOutput("p", "d")


def test_its_names_are_its_own() -> None:
    assert not {table.name for table in LEDGER_TABLES} & {table.name for table in TABLES}


def test_rows_stand_by_key_and_survive(tmp_path: Path) -> None:
    place = DuckDBOutput(str(tmp_path / "made" / "x.ledger.duckdb"))
    with open_ledger(place) as ledger:
        ledger.write(
            {ACTIVATIONS: [activation("user:b"), activation("user:a"), activation("user:b", "refused", "why")]}
        )
        ledger.write({ACTIVATIONS: [activation("user:a", "acknowledged")]})
    with open_ledger(place) as ledger:
        assert states(ledger) == {"user:a": "acknowledged", "user:b": "refused"}
        ledger.write({}, gone={ACTIVATIONS: [("news", "user:a", "recent_buyers"), ("news", "user:z", "x")]})
        assert states(ledger) == {"user:b": "refused"}
        assert ledger.read(ACTIVATIONS, destination="other") == []
        assert ledger.read(ACTIVATIONS, destination="news") == [activation("user:b", "refused", "why")]


def test_dates_and_json_come_back_as_they_went_in(tmp_path: Path) -> None:
    audit = ("a1", "2026-06-30", "null_share", "email", "warning", 0.25, 0.1, NOON_US)
    pair = ("user:a", "user:b", 0.93, '{"name":1.5}', "suggested")
    with open_ledger(DuckDBOutput(str(tmp_path / "l.duckdb"))) as ledger:
        ledger.write({AUDITS: [audit], DUPLICATES: [pair]})
        assert ledger.read(AUDITS) == [audit]
        assert ledger.read(DUPLICATES) == [pair]


def test_a_row_that_does_not_fit_leaves_everything_as_it_was(tmp_path: Path) -> None:
    with open_ledger(DuckDBOutput(str(tmp_path / "l.duckdb"))) as ledger:
        ledger.write({ACTIVATIONS: [activation("user:a")]})
        wrong = ("news", None, "id", "user:b", NOON_US)
        with pytest.raises(ValueError, match="destination_records"):
            ledger.write({ACTIVATIONS: [activation("user:b")], DESTINATION_RECORDS: [wrong]})
        assert states(ledger) == {"user:a": "pending"}


def test_who_finds_it_taken_waits_and_then_says_so(tmp_path: Path) -> None:
    path = tmp_path / "l.duckdb"
    hold = f"import duckdb, sys; open_one = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        waits: list[float] = []
        with pytest.raises(LedgerBusyError), open_database(path, busy_seconds=0.5, sleep=waits.append):
            pass
        assert 4 <= len(waits) <= 6
        assert holder.stdin is not None
        holder.stdin.close()
        holder.wait()
    with open_database(path) as ledger:
        assert states(ledger) == {}


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "l.duckdb"
    path.write_text("not a database, and long enough to look like a file of somebody's" * 100)
    with pytest.raises(LedgerError, match=r"l\.duckdb"), open_database(path):
        pass


def test_a_column_that_came_later_is_added(tmp_path: Path) -> None:
    path = tmp_path / "l.duckdb"
    with open_database(path):
        pass
    with duckdb.connect(str(path)) as connection:
        connection.execute("ALTER TABLE activations DROP COLUMN reason")
    with open_database(path) as ledger:
        ledger.write({ACTIVATIONS: [activation("user:a", reason="why")]})
        assert ledger.read(ACTIVATIONS)[0][8] == "why"
