"""Rows of a boot, from the worker that makes them to the tables of the writer that loads them."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from pipelines.io.duckdb.boot_rows import BootRows
from pipelines.io.duckdb.stream_writer import WriteOptions, WriterBusyError, begin_tables, close_writers, open_writer
from pipelines.io.outputs import DuckDBOutput
from tests.live.stream_rows import update
from transforms.state.process import PROCESS

NEVER = 1e6


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    PROCESS.close()


@pytest.fixture
def rows(tmp_path: Path) -> BootRows:
    (tmp_path / "rows").mkdir()
    return BootRows(tmp_path / "rows")


@pytest.fixture(params=[False, True], ids=["at once", "events and links before"])
def early(request: pytest.FixtureRequest) -> bool:
    """Whether what owners say is loaded while profiles are made."""
    return bool(request.param)


def begin(folder: Path, run: str, *, early: bool, is_restart: bool = False) -> None:
    if early:
        begin_tables(DuckDBOutput(str(folder / "shop.duckdb")), folder / "stream", BootRows(folder / "rows"))
    options = WriteOptions(NEVER, str(folder / "stream"), run, is_restart, boot_rows=str(folder / "rows"))
    open_writer(DuckDBOutput(str(folder / "shop.duckdb")), options)


def ask(folder: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(folder / "shop.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_of_each_key_the_greatest_version_stands_whoever_wrote_it(rows: BootRows, tmp_path: Path, early: bool) -> None:
    rows.write("devices-0", [update("events", 1, message_id="moved", profile_id="anon:a")])
    rows.write("users-0", [update("events", 2, message_id="moved", profile_id="user:u")])
    rows.write("users-1", [update("events", 1, message_id="gone"), update("events", 1, message_id="stays")])
    rows.write("registry-0", [update("events", 3, message_id="gone", withdrawn=True)])
    begin(tmp_path, "first", early=early)
    close_writers()
    assert ask(tmp_path, "SELECT message_id FROM events ORDER BY 1") == [("moved",), ("stays",)]
    assert ask(tmp_path, "SELECT profile_id FROM events WHERE message_id = 'moved'") == [("user:u",)]
    assert not (tmp_path / "rows").exists(), "they are in the tables"


def test_what_comes_later_with_a_smaller_version_changes_nothing(rows: BootRows, tmp_path: Path, early: bool) -> None:
    rows.write("users-0", [update("events", 5, message_id="m", profile_id="user:u")])
    begin(tmp_path, "first", early=early)
    options = WriteOptions(NEVER, str(tmp_path / "stream"), "first")
    writer = open_writer(DuckDBOutput(str(tmp_path / "shop.duckdb")), options)
    writer.add([update("events", 4, message_id="m", profile_id="anon:late")])
    writer.add([update("events", 6, message_id="other", profile_id="user:v")])
    close_writers()
    found = ask(tmp_path, "SELECT message_id, profile_id FROM events ORDER BY 1")
    assert found == [("m", "user:u"), ("other", "user:v")]


def test_versions_go_on_from_those_of_the_run_before(rows: BootRows, tmp_path: Path, early: bool) -> None:
    rows.write("profiles-0", [update("profiles", 7, profile_id="user:u", version=7)])
    begin(tmp_path, "first", early=early)
    close_writers()
    (tmp_path / "rows").mkdir()
    rows.write("profiles-0", [update("profiles", 1, profile_id="user:u", version=1)])
    begin(tmp_path, "second", early=early, is_restart=True)
    options = WriteOptions(NEVER, str(tmp_path / "stream"), "second", is_restart=True)
    open_writer(DuckDBOutput(str(tmp_path / "shop.duckdb")), options).end_boot()
    close_writers()
    assert ask(tmp_path, "SELECT version FROM profiles") == [(8,)]


def test_a_boot_that_ends_too_soon_leaves_nothing(rows: BootRows, tmp_path: Path) -> None:
    rows.write("users-0", [update("events", 1, message_id="m", profile_id="user:u")])
    output, folder = DuckDBOutput(str(tmp_path / "shop.duckdb")), tmp_path / "stream"
    begin_tables(output, folder, rows)
    with pytest.raises(WriterBusyError):
        open_writer(output, WriteOptions(NEVER, f"{folder}/../stream", "another"))
    PROCESS.close()
    assert not (tmp_path / "shop.duckdb").exists()
    assert not list(folder.glob("*.duckdb"))
    begin(tmp_path, "first", early=False)
