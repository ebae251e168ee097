"""Reads the table `events` of an earlier job, in BigQuery or DuckDB, as the input of a bounded job.

Stands beside ReadFiles, first in a job's graph: rows become messages in Segment's wire format again, and go through the
same parser.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import TaggedOutput
from apache_beam.typehints.decorators import no_annotations

from pipelines.io.files.read_files import parse_messages
from pipelines.io.locations import BigQueryInput, DuckDBInput
from pipelines.io.outputs import DuckDBOutput
from pipelines.io.tables.read_back import read_batches
from schemas.tables import EVENTS
from transforms import counting
from transforms.parse import EventParser
from transforms.parse.bucket import OUTPUTS, ParsedEvents, parsed_events
from transforms.parse.rows import json_message
from transforms.records import collection_paused

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


class ReadTables(beam.PTransform[beam.pvalue.PBegin, ParsedEvents]):
    """Every event of the tables, parsed. A table that cannot be read fails the job. One table is read in one place."""

    def __init__(self, locations: Iterable[TableInput], parser: EventParser, buckets: int) -> None:
        super().__init__()
        self._locations = list(locations)
        self._parser = parser
        self._buckets = buckets

    @no_annotations
    def expand(self, begin: beam.pvalue.PBegin) -> ParsedEvents:
        return parsed_events(
            begin
            | "Tables" >> beam.Create(self._locations)
            | "Spread" >> beam.Reshuffle()
            | "Parse" >> beam.ParDo(_ParseTable(self._parser, self._buckets)).with_outputs(*OUTPUTS)
        )


class _ParseTable(beam.DoFn):
    def __init__(self, parser: EventParser, buckets: int) -> None:
        self._parser = parser
        self._buckets = buckets

    @no_annotations
    def process(self, location: TableInput) -> Iterator[TaggedOutput[str, Any]]:
        for batch in event_batches(location):
            with collection_paused():
                yield from parse_messages(self._parser, messages(batch), location.text, self._buckets)
            counting.count(counting.RANGES)


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
