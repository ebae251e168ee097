"""Where the tables go: `--output` parsed and checked before a job starts.

Errors:
    OutputError (a ValueError): the text or the place cannot be used. Its text says what was expected.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.io.tables.staging import remove_abandoned
from schemas.bigquery import Layout
from schemas.tables import TABLES

_FORMS = "duckdb:PATH, files:DIR or bigquery:PROJECT.DATASET"
_PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]*")
_DATASET = re.compile(r"\w{1,1024}")


class OutputError(ValueError):
    """An output that cannot be used, and what was expected."""


@dataclass(frozen=True, slots=True)
class DuckDBOutput:
    """One database file that holds all tables."""

    path: str

    def __str__(self) -> str:
        return f"duckdb:{self.path}"


@dataclass(frozen=True, slots=True)
class FilesOutput:
    """A folder of Parquet files: `DIR/<table>/part-*.parquet`."""

    directory: str

    def __str__(self) -> str:
        return f"files:{self.directory}"


@dataclass(frozen=True, slots=True)
class BigQueryOutput:
    """A BigQuery dataset.

    Attributes:
        project: the Google Cloud project.
        dataset: the dataset's id.
        create_tables: whether tables and views may be created and columns added.
        layout: "append": logs with views over the newest rows; "cdc": tables that BigQuery keeps up to date itself
            (streaming jobs only). See docs/bigquery.md.
    """

    project: str
    dataset: str
    create_tables: bool = True
    layout: Layout = "append"

    def __str__(self) -> str:
        return f"bigquery:{self.project}.{self.dataset}"


Output = DuckDBOutput | FilesOutput | BigQueryOutput


def parse_output(text: str, *, create_tables: bool = True) -> Output:
    """Read an `--output` value.

    `create_tables` is for BigQuery; a local output is made anew as a whole.

    >>> parse_output("duckdb:out/shop.duckdb")
    DuckDBOutput(path='out/shop.duckdb')

    Raises:
        OutputError: it has none of the forms.
    """
    scheme, separator, rest = text.partition(":")
    if not separator or not rest.strip():
        raise OutputError(f"output {text!r}: expected {_FORMS}")
    if scheme == "bigquery":
        return _parse_bigquery(text, rest, create_tables)
    if scheme in {"duckdb", "files"}:
        if "://" in rest:
            raise OutputError(f"output {text!r}: expected a local path; {scheme}: writes to local disks only")
        return DuckDBOutput(rest) if scheme == "duckdb" else FilesOutput(rest)
    raise OutputError(f"output {text!r}: unknown kind {scheme!r}, expected {_FORMS}")


def _parse_bigquery(text: str, rest: str, create_tables: bool) -> BigQueryOutput:
    place, _, query = rest.partition("?")
    project, _, dataset = place.rpartition(".")
    if not _PROJECT.fullmatch(project) or not _DATASET.fullmatch(dataset):
        raise OutputError(f"output {text!r}: expected bigquery:PROJECT.DATASET")
    if query in {"", "layout=append"}:
        return BigQueryOutput(project, dataset, create_tables)
    if query == "layout=cdc":
        return BigQueryOutput(project, dataset, create_tables, layout="cdc")
    raise OutputError(f"output {text!r}: after the dataset, expected ?layout=append or ?layout=cdc")


def check_output(output: Output, *, bounded: bool = False) -> None:
    """Make sure, before a job starts, that an output can be written. Creates missing parent folders, datasets, tables.

    A local place that holds anything that Tidemark did not write is refused: writing replaces it as a whole.

    Args:
        output: the output.
        bounded: whether the job that will write it is a bounded one: into BigQuery it goes another way.

    Raises:
        OutputError: it cannot be written.
    """
    if isinstance(output, BigQueryOutput):
        if bounded and output.layout != "append":
            raise OutputError(f"output {output}: a bounded job writes the layout `append`, not {output.layout!r}")
        from pipelines.io.bigquery.tables import prepare_tables

        prepare_tables(output, bounded=bounded)
        return
    target = Path(output.path if isinstance(output, DuckDBOutput) else output.directory).absolute()
    _check_parent(output, target)
    remove_abandoned(target)
    if isinstance(output, DuckDBOutput):
        _check_database(output, target)
    else:
        _check_folder(output, target)


def _check_parent(output: Output, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        probe = target.parent / f".{target.name}.probe-{uuid.uuid4().hex}"
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise OutputError(f"output {output}: cannot write to {target.parent}: {error.strerror}") from error


def _check_database(output: DuckDBOutput, target: Path) -> None:
    if target.is_dir():
        raise OutputError(f"output {output}: is a folder, expected the path of a DuckDB file")
    if not target.exists() or target.stat().st_size == 0:
        return
    try:
        with duckdb.connect(str(target), read_only=True) as connection:
            rows = connection.execute("SELECT table_name FROM information_schema.tables").fetchall()
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise OutputError(
            f"output {output}: the file exists, and cannot be opened as a DuckDB database: {reason}"
        ) from error
    foreign = sorted({name for (name,) in rows} - {table.name for table in TABLES})
    if foreign:
        raise OutputError(f"output {output}: holds what Tidemark did not write and would lose: {', '.join(foreign)}")


def _check_folder(output: FilesOutput, target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise OutputError(f"output {output}: is a file, expected a folder")
    if target.is_symlink():
        raise OutputError(f"output {output}: is a symbolic link, expected the folder itself")
    if target.is_dir():
        foreign = sorted({entry.name for entry in target.iterdir()} - {table.name for table in TABLES})
        if foreign:
            raise OutputError(
                f"output {output}: holds what Tidemark did not write and would lose: {', '.join(foreign[:5])}"
            )
