"""The table `events` of an earlier job as an input: its rows, and the messages of Segment's format that they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.io.locations import BigQueryInput, DuckDBInput
from pipelines.io.outputs import DuckDBOutput
from pipelines.io.tables.read_back import read_batches
from schemas.tables import EVENTS
from transforms.parse.rows import json_message

TableInput = BigQueryInput | DuckDBInput

_BIGQUERY_BYTES = 256 * 1024 * 1024

_WIRE_NAMES = {
    "message_id": "messageId",
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "type": "type",
    "timestamp": "timestamp",
    "received_at": "receivedAt",
    "properties": "properties",
    "traits": "traits",
    "context": "context",
    "previous_id": "previousId",
    "group_id": "groupId",
}


def table_bytes(locations: Iterable[TableInput]) -> int:
    """About how many bytes of events there are.

    A database packs events about four times as tight as JSON; what BigQuery holds is not known before it is asked.
    """
    return sum(
        Path(location.path).stat().st_size * 4 if isinstance(location, DuckDBInput) else _BIGQUERY_BYTES
        for location in locations
    )


def event_batches(location: TableInput) -> Iterator[pa.RecordBatch]:
    """The rows of a location, as record batches of the table `events`."""
    if isinstance(location, DuckDBInput):
        return read_batches(DuckDBOutput(location.path), EVENTS)
    from pipelines.io.bigquery.read import read_events

    return read_events(location.project, location.dataset, location.start_us, location.stop_us)


def messages(batch: pa.RecordBatch) -> Iterator[bytes]:
    """Rows of the table `events` as messages in the wire format."""
    for row in batch.to_pylist():
        message: dict[str, Any] = {wire: row[column] for column, wire in _WIRE_NAMES.items()}
        message["event" if row["type"] == "track" else "name"] = row["event"]
        yield json_message(message)
