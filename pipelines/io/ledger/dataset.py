"""A ledger in a BigQuery dataset, as the other tables of the append layout are: logs, and views over the newest rows.

A write is durable when it returns, each table's rows by a request of their own: there is no transaction over them, so
what others depend on comes first in `write`. A row that was appended twice is one row to who reads the view.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from google.cloud import bigquery

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.bigquery.read import read_rows
from pipelines.io.bigquery.stream import BigQueryStream
from pipelines.io.bigquery.tables import prepare_tables
from pipelines.io.ledger.database import to_rows
from pipelines.io.ledger.ledger import Ledger, LedgerError, Row
from pipelines.io.outputs import BigQueryOutput
from schemas.errors import OutputError
from schemas.ledger import LEDGER_TABLES
from schemas.tables import Table


class DatasetLedger(Ledger):
    """The ledger in a dataset; what is missing of its tables is created.

    Raises:
        LedgerError: the dataset cannot be reached, or its tables are not as expected.
    """

    def __init__(self, output: BigQueryOutput, now_us: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        self._output = output
        self._now_us = now_us
        self._version = 0
        try:
            prepare_tables(output, tables=LEDGER_TABLES)
        except OutputError as error:
            raise LedgerError(str(error)) from error
        self._stream = BigQueryStream(output, tables=LEDGER_TABLES)

    def read(self, table: Table, **values: str) -> list[Row]:
        condition = " AND ".join(f"`{name}` = @{name}" for name in values) or "TRUE"
        parameters = [bigquery.ScalarQueryParameter(name, "STRING", value) for name, value in values.items()]
        try:
            batches = list(read_rows(self._output.project, self._output.dataset, table, condition, parameters))
        except BigQueryError as error:
            raise LedgerError(f"ledger {self._output}: {error}") from error
        places = [table.column_names().index(name) for name in table.key]
        return sorted(to_rows(table, batches), key=lambda row: tuple(row[place] for place in places))

    def write(self, rows: Mapping[Table, Iterable[Row]], gone: Mapping[Table, Iterable[Row]] | None = None) -> None:
        try:
            for table, keys in (gone or {}).items():
                self._append(table, [dict(zip(table.key, key, strict=True)) for key in keys], deleted=True)
            for table, of_table in rows.items():
                self._append(table, [dict(zip(table.column_names(), row, strict=True)) for row in of_table])
        except BigQueryError as error:
            raise LedgerError(f"ledger {self._output}: {error}") from error

    def _append(self, table: Table, rows: list[dict[str, Any]], *, deleted: bool = False) -> None:
        # Each row a version of its own: of two with one key in one call the last stands.
        first = max(self._now_us(), self._version + 1)
        self._version = first + len(rows)
        versioned = [row | {"row_version": first + number} for number, row in enumerate(rows)]
        refused = self._stream.write(table.name, versioned, deleted=deleted) + self._stream.flush()
        if refused:
            raise ValueError(f"table {table.name}: {refused[0].errors[0]}")
