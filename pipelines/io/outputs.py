"""Where the tables go: `--output` parsed. `check_outputs.py` looks at the place."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipelines.io.files.beam_files import is_local
from schemas.bigquery import Layout
from schemas.errors import OutputError

_FORMS = "duckdb:PATH, files:DIR or bigquery:PROJECT.DATASET"
_PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]*")
_DATASET = re.compile(r"\w{1,1024}")


@dataclass(frozen=True, slots=True)
class DuckDBOutput:
    """One database file that holds all tables."""

    path: str

    def target(self) -> Path:
        """The file, symbolic links followed."""
        return _followed(self.path)

    def __str__(self) -> str:
        return f"duckdb:{self.path}"


@dataclass(frozen=True, slots=True)
class FilesOutput:
    """A folder of Parquet files: `DIR/<table>/part-*.parquet`."""

    directory: str

    def target(self) -> Path:
        """The folder, symbolic links followed."""
        return _followed(self.directory)

    def __str__(self) -> str:
        return f"files:{self.directory}"


@dataclass(frozen=True, slots=True)
class StoreOutput:
    """Parquet files in an object store (gs://, s3://): `LOCATION/manifest.json` says which of them are the tables."""

    location: str

    def __str__(self) -> str:
        return f"files:{self.location}"


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


Output = DuckDBOutput | FilesOutput | StoreOutput | BigQueryOutput


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
    if scheme == "files":
        return FilesOutput(rest) if is_local(rest) else StoreOutput(rest.rstrip("/"))
    if scheme == "duckdb":
        if not is_local(rest):
            raise OutputError(f"output {text!r}: expected a local path; a DuckDB file is made on a local disk")
        return DuckDBOutput(rest)
    raise OutputError(f"output {text!r}: unknown kind {scheme!r}, expected {_FORMS}")


def _followed(path: str) -> Path:
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError):  # links that lead in a circle: who opens it says so
        return Path(path).absolute()


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


def local_target(output: Output) -> Path:
    """The local file or folder that the output is, symbolic links followed: they stay, what they lead to is replaced.

    For one on other machines a name in the folder for temporary files.
    """
    if isinstance(output, BigQueryOutput | StoreOutput):
        name = re.sub(r"[^\w.-]+", "-", str(output).partition(":")[2])
        return Path(tempfile.gettempdir()) / f"tidemark-{name}"
    return output.target()
