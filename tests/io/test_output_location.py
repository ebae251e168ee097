"""`--output`: what it may say, and which places are refused before a job starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.io.check_outputs import check_output
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, FilesOutput, Output, StoreOutput, parse_output
from schemas.errors import OutputError


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("duckdb:out/shop.duckdb", DuckDBOutput("out/shop.duckdb")),
        ("duckdb:/tmp/a:b.duckdb", DuckDBOutput("/tmp/a:b.duckdb")),  # noqa: S108 - nothing is opened
        ("files:out", FilesOutput("out")),
        ("files:gs://bucket/out", StoreOutput("gs://bucket/out")),
        ("bigquery:shop-project.tidemark", BigQueryOutput("shop-project", "tidemark")),
        ("bigquery:example.com:shop.tidemark_eu", BigQueryOutput("example.com:shop", "tidemark_eu")),
    ],
)
def test_outputs_are_read_and_printed(text: str, output: Output) -> None:
    assert parse_output(text) == output
    assert str(output) == text


def test_tables_are_made_unless_told_not_to() -> None:
    made = parse_output("bigquery:shop-project.tidemark?layout=cdc", create_tables=False)
    assert made == BigQueryOutput("shop-project", "tidemark", create_tables=False, layout="cdc")
    assert parse_output("duckdb:shop.duckdb", create_tables=False) == DuckDBOutput("shop.duckdb")


def test_a_bounded_job_is_refused_the_layout_for_streams() -> None:
    with pytest.raises(OutputError, match="a bounded job writes the layout `append`, not 'cdc'"):
        check_output(BigQueryOutput("shop-project", "tidemark", layout="cdc"), bounded=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("out.duckdb", "expected duckdb:PATH, files:DIR or bigquery:PROJECT.DATASET"),
        ("duckdb:", "expected duckdb:PATH"),
        ("duckbd:out.duckdb", "unknown kind 'duckbd'"),
        ("bigquery:tidemark", "expected bigquery:PROJECT.DATASET"),
        ("bigquery:shop-project.a.b-c", "expected bigquery:PROJECT.DATASET"),
        ("duckdb:gs://bucket/out.duckdb", "a DuckDB file is made on a local disk"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(OutputError, match=message):
        parse_output(text)


def test_missing_parents_are_created(tmp_path: Path) -> None:
    check_output(DuckDBOutput(str(tmp_path / "a" / "b" / "c.duckdb")))
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == []


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database\n" * 1000)
    with pytest.raises(OutputError, match="cannot be opened as a DuckDB database"):
        check_output(DuckDBOutput(str(path)))
    assert path.read_text().startswith("not a database")


def test_an_empty_file_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "empty.duckdb"
    path.touch()
    check_output(DuckDBOutput(str(path)))


def test_a_folder_is_no_database_and_a_file_no_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        check_output(DuckDBOutput(str(tmp_path)))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file, expected a folder"):
        check_output(FilesOutput(str(tmp_path / "file")))
    with pytest.raises(OutputError, match="cannot write to"):
        check_output(FilesOutput(str(tmp_path / "file" / "out")))


def test_empty_folders_hold_nothing_that_could_be_lost(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    check_output(FilesOutput(str(tmp_path)))
