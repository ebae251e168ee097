"""The ledger: tables beside a job's output that no run of the job replaces (schemas/ledger.py).

    with open_ledger(ledger_of(output)) as ledger:
        rows = ledger.read(ACTIVATIONS)
        ledger.write({ACTIVATIONS: changed}, gone={DESTINATION_RECORDS: keys})

| output | its ledger |
| --- | --- |
| `duckdb:out/shop.duckdb` | `out/shop.duckdb.ledger.duckdb` |
| `files:out/shop` | `out/shop.ledger.duckdb` |
| `bigquery:P.D` | the dataset |
"""

from pipelines.io.ledger.ledger import Ledger, LedgerBusyError, LedgerError, Row
from pipelines.io.ledger.open import ledger_of, open_ledger

__all__ = ["Ledger", "LedgerBusyError", "LedgerError", "Row", "ledger_of", "open_ledger"]
