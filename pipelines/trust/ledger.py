"""The ledger of a job's tables, for the commands that keep a table of their own there."""

from __future__ import annotations

from pipelines.io.ledger import ledger_of
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, FilesOutput, Output, StoreOutput, parse_output
from schemas.errors import OutputError


def ledger_place(given: str | None, tables: Output) -> DuckDBOutput | BigQueryOutput:
    """The `--ledger`; without one, beside the tables.

    Raises:
        OutputError: it has none of the forms.
    """
    if given is None:
        return ledger_of(tables)
    place = parse_output(given)
    if isinstance(place, FilesOutput | StoreOutput):
        raise OutputError(f"--ledger {given!r}: expected duckdb:PATH or bigquery:PROJECT.DATASET")
    return place
