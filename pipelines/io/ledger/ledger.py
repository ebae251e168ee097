"""What a ledger can do, wherever it lies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.tables import Table

Row = tuple[Any, ...]
"""Values by the table's columns, as in a `TableBlock`: instants in microseconds, dates and JSON as text."""


class LedgerError(RuntimeError):
    """The ledger cannot be read or written. The text names the place."""


class LedgerBusyError(LedgerError):
    """Another process has it."""


class Ledger(ABC):
    """The tables of one ledger. Not shared between threads."""

    @abstractmethod
    def read(self, table: Table, **values: str) -> list[Row]:
        """The rows whose columns have these values, in the order of the key.

        Raises:
            LedgerError: it cannot be read.
        """

    @abstractmethod
    def write(self, rows: Mapping[Table, Iterable[Row]], gone: Mapping[Table, Iterable[Row]] | None = None) -> None:
        """Puts rows in the place of those with the same key, and takes rows out; durable when it returns.

        Of rows with one key the last stands.

        Args:
            rows: whole rows, by table.
            gone: keys (values of the key's columns, in order) of rows that are no more, by table.

        Raises:
            LedgerError: it cannot be written.
            ValueError: a row does not fit its table.
        """
