"""What BigQuery refuses, apart from its clients: who catches it may never have talked to BigQuery."""

from __future__ import annotations


class BigQueryError(RuntimeError):
    """BigQuery refused for good, or for longer than the retries last. The text names the cause, and no row's values."""
