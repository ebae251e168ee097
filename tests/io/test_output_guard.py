"""`--output` never destroys what it did not write: every way in which something of somebody else's may stand there."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.io.check_outputs import check_output
from pipelines.io.locations import parse_inputs
from pipelines.io.outputs import DuckDBOutput, FilesOutput, Output
from pipelines.io.tables.staging import ShardWriter
from pipelines.io.tables.staging_place import new_staging_place
from pipelines.io.tables.write_tables import make_tables
from pipelines.options.profiles import parse_profiles_options
from schemas.arrow import MARK, arrow_schema
from schemas.errors import OutputError, UsageError
from schemas.tables import PROFILES
from tests.io.rows import example_blocks


def written(output: Output) -> Path:
    """An output as a job leaves it."""
    place = new_staging_place(output)
    writer = ShardWriter(place.folder)
    make_tables(place, [shard for block in example_blocks() for shard in writer.write(block)] + list(writer.close()))
    place.remove()
    return Path(output.target())  # type: ignore[union-attr]


def refused(output: Output, what: str) -> None:
    with pytest.raises(OutputError, match=what):
        check_output(output)


IN_DATABASE: dict[str, tuple[str, str]] = {
    "a table": ("CREATE TABLE invoices (a INTEGER)", "table invoices"),
    "a view": ("CREATE VIEW buyers AS SELECT profile_id FROM profiles", "view buyers"),
    "a macro": ("CREATE MACRO plus_one(a) AS a + 1", "macro plus_one"),
    "a sequence": ("CREATE SEQUENCE numbers", "sequence numbers"),
    "a type": ("CREATE TYPE mood AS ENUM ('sad', 'ok')", "type mood"),
    "an index": ("CREATE INDEX by_user ON profiles (user_id)", "index by_user"),
    "a schema": ("CREATE SCHEMA shop", "schema shop"),
    "a table of another schema": ("CREATE SCHEMA shop; CREATE TABLE shop.events (a INTEGER)", r"table shop\.events"),
    "a column": ("ALTER TABLE profiles ADD COLUMN note VARCHAR", "table profiles"),
    "a table in the place of ours": ("DROP TABLE events; CREATE TABLE events (message_id VARCHAR)", "table events"),
    "a copy of ours": ("ALTER TABLE events RENAME TO events_2024", "table events_2024"),
}


@pytest.mark.parametrize("what", IN_DATABASE)
def test_a_database_with_anything_of_somebody_else_is_refused(what: str, tmp_path: Path) -> None:
    output = DuckDBOutput(str(tmp_path / "out.duckdb"))
    path = written(output)
    statements, name = IN_DATABASE[what]
    with duckdb.connect(str(path)) as connection:
        connection.execute(statements)
    before = path.read_bytes()
    refused(output, f"would lose: .*{name}.*Give another output")
    assert path.read_bytes() == before


def test_tables_of_the_user_that_only_have_our_names_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE events (message_id VARCHAR, timestamp TIMESTAMPTZ)")
    refused(DuckDBOutput(str(path)), "would lose: table events")


@pytest.mark.parametrize("make", [lambda path: DuckDBOutput(str(path)), lambda path: FilesOutput(str(path))])
def test_our_own_output_is_replaced(make: Callable[[Path], Output], tmp_path: Path) -> None:
    output = make(tmp_path / "out")
    path = written(output)
    check_output(output)
    written(output)
    assert [path] == list(tmp_path.iterdir())


def test_a_database_of_an_earlier_release_is_ours(tmp_path: Path) -> None:
    """It has no mark yet, and fewer columns."""
    output = DuckDBOutput(str(tmp_path / "out.duckdb"))
    path = written(output)
    with duckdb.connect(str(path)) as connection:
        connection.execute("COMMENT ON TABLE profiles IS 'One row per profile. Key: profile_id.'")
        connection.execute("ALTER TABLE profiles DROP COLUMN postal_code")
    check_output(output)


def test_a_folder_of_an_earlier_release_is_ours(tmp_path: Path) -> None:
    output = FilesOutput(str(tmp_path / "out"))
    part = written(output) / "profiles" / "part-00000.parquet"
    pq.write_table(pq.read_table(part).drop_columns(["postal_code"]), part)
    assert MARK.encode() not in pq.ParquetFile(part).metadata.metadata
    check_output(output)


IN_FOLDER: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file": ((lambda out: (out / "thesis.tex").touch()), r"thesis\.tex"),
    "a folder": ((lambda out: (out / "photos").mkdir()), "photos"),
    "events as they came": ((lambda out: (out / "events" / "1.ndjson").write_text("{}")), r"events/1\.ndjson"),
    "a hidden file": ((lambda out: (out / "events" / ".notes").touch()), r"events/\.notes"),
    "Parquet of the user's": (
        lambda out: pq.write_table(pa.table({"message_id": ["a"]}), out / "events" / "part-00003.parquet"),
        r"events/part-00003\.parquet",
    ),
    "one of ours, put there": (
        lambda out: shutil.copy(out / "events" / "part-00000.parquet", out / "events" / "part-00009.parquet"),
        r"events/part-00009\.parquet",
    ),
    "ours with a column more": (
        lambda out: pq.write_table(
            pa.table({name: pa.array([], arrow_schema(PROFILES).field(name).type) for name in PROFILES.column_names()})
            .replace_schema_metadata({"description": PROFILES.description})
            .append_column("note", pa.array([], pa.string())),
            out / "profiles" / "part-00000.parquet",
        ),
        r"profiles/part-00000\.parquet",
    ),
    "no Parquet": (
        lambda out: (out / "profiles" / "part-00000.parquet").write_text("PAR1"),
        r"profiles/part-00000\.parquet",
    ),
    "a link": (lambda out: (out / "accounts_2024").symlink_to(out / "events"), "accounts_2024"),
}


@pytest.mark.parametrize("what", IN_FOLDER)
def test_a_folder_with_anything_of_somebody_else_is_refused(what: str, tmp_path: Path) -> None:
    output = FilesOutput(str(tmp_path / "out"))
    path = written(output)
    make, name = IN_FOLDER[what]
    make(path)
    before = sorted(path.rglob("*"))
    refused(output, f"would lose: {name}")
    assert sorted(path.rglob("*")) == before


def test_a_link_in_the_place_of_a_table_is_refused(tmp_path: Path) -> None:
    output = FilesOutput(str(tmp_path / "out"))
    events = written(output) / "events"
    events.rename(tmp_path / "elsewhere")
    events.symlink_to(tmp_path / "elsewhere")
    refused(output, "would lose: events")


def test_what_is_neither_file_nor_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused(DuckDBOutput(str(tmp_path / "pipe")), "is a pipe, expected the path of a DuckDB file")
    refused(FilesOutput(str(tmp_path / "pipe")), "is a pipe, expected a folder")
    refused(DuckDBOutput("/dev/null"), "is a device, expected the path of a DuckDB file")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_links_stay_and_what_they_lead_to_is_replaced(tmp_path: Path) -> None:
    link = tmp_path / "current.duckdb"
    (tmp_path / "store").mkdir()
    link.symlink_to(tmp_path / "store" / "7.duckdb")
    output = DuckDBOutput(str(link))
    check_output(output)
    assert written(output) == tmp_path / "store" / "7.duckdb"
    check_output(output)
    assert link.is_symlink()
    with duckdb.connect(str(link), read_only=True) as connection:
        assert connection.table("profiles").fetchall()
    folder = tmp_path / "tables"
    folder.symlink_to(tmp_path / "store2")
    written(FilesOutput(str(folder)))
    assert folder.is_symlink()
    assert (tmp_path / "store2" / "events").is_dir()


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(tmp_path / "other")
    (tmp_path / "other").symlink_to(tmp_path / "one")
    refused(DuckDBOutput(str(tmp_path / "one")), "cannot be looked at: Too many levels of symbolic links")


def test_what_came_while_the_job_ran_is_safe_too(tmp_path: Path) -> None:
    output = FilesOutput(str(tmp_path / "out"))
    written(output)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"would lose: notes\.txt"):
        written(output)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def command_line(folder: Path, given: str, output: str, *options: str) -> list[str]:
    (folder / "segments").mkdir(exist_ok=True)
    (folder / "segments" / "s.yaml").write_text(json.dumps({"when": "event('Order Completed').count() >= 1"}))
    return ["--input", given, "--segments", str(folder / "segments"), "--output", output, *options]


def test_the_input_is_never_the_output(tmp_path: Path) -> None:
    database = written(DuckDBOutput(str(tmp_path / "out.duckdb")))
    (tmp_path / "link.duckdb").symlink_to(database)
    before = database.read_bytes()
    for given in (database, tmp_path / "link.duckdb"):
        with pytest.raises(UsageError, match=r"failed events and receipts of erasure would be lost\. Give another"):
            parse_profiles_options(command_line(tmp_path, f"duckdb:{given}", f"duckdb:{database}"))
    assert database.read_bytes() == before
    folder = written(FilesOutput(str(tmp_path / "tables")))
    with pytest.raises(UsageError, match="reads what this job would replace"):
        parse_profiles_options(command_line(tmp_path, f"{folder}/events/*.parquet", f"files:{folder}"))
    [location] = parse_inputs([f"{folder}/events"])
    with pytest.raises(OutputError, match="reads what this job would replace"):
        check_output(FilesOutput(str(folder)), [location])


def test_the_folder_of_the_events_is_no_output(tmp_path: Path) -> None:
    events = tmp_path / "shop" / "events" / "1.ndjson"
    events.parent.mkdir(parents=True)
    events.write_text('{"messageId": "a"}\n')
    with pytest.raises(UsageError, match="reads what this job would replace"):
        parse_profiles_options(command_line(tmp_path, str(events.parent), f"files:{tmp_path / 'shop'}"))
    refused(FilesOutput(str(tmp_path / "shop")), r"would lose: events/1\.ndjson")
    assert events.exists()


def test_a_journal_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """A run removes what the one before left in it, such as `work.duckdb`."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "work.duckdb").write_text("mine")
    options = command_line(tmp_path, f"watch:{tmp_path}/in/*.ndjson", f"duckdb:{tmp_path}/o", "--journal", str(mine))
    with pytest.raises(UsageError, match=r"holds other files, 'work\.duckdb' among them; expected a new or empty"):
        parse_profiles_options(options)
    assert (mine / "work.duckdb").read_text() == "mine"
