"""Where the ledger of an output lies, and opening it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pipelines.io.ledger.database import open_database
from pipelines.io.ledger.ledger import Ledger
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, FilesOutput, Output, StoreOutput
from schemas.errors import OutputError

SUFFIX = ".ledger.duckdb"


def ledger_of(output: Output) -> DuckDBOutput | BigQueryOutput:
    """Where the ledger of an output lies.

    >>> str(ledger_of(DuckDBOutput("out/shop.duckdb")))
    'duckdb:out/shop.duckdb.ledger.duckdb'

    Raises:
        OutputError: it is in an object store.
    """
    if isinstance(output, BigQueryOutput):
        return replace(output, layout="append")
    if isinstance(output, StoreOutput):
        raise OutputError(f"{output}: a ledger cannot lie beside tables in an object store; expected --ledger LOCATION")
    path = output.directory.rstrip("/") if isinstance(output, FilesOutput) else output.path
    return DuckDBOutput(path + SUFFIX)


@contextmanager
def open_ledger(place: DuckDBOutput | BigQueryOutput) -> Iterator[Ledger]:
    """The ledger at a place, for reading and writing; what is missing of its tables is created.

    Raises:
        LedgerBusyError: another process has the file, and has had it for half a minute.
        LedgerError: it cannot be opened.
    """
    if isinstance(place, BigQueryOutput):
        from pipelines.io.ledger.dataset import DatasetLedger

        yield DatasetLedger(place)
        return
    with open_database(Path(place.path)) as ledger:
        yield ledger
