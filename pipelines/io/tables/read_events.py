"""Reads the table `events` of an earlier job, in BigQuery or DuckDB, as the input of a bounded job.

Stands beside ReadFiles, first in a job's graph: rows become messages in Segment's wire format again, and go through the
same parser.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.typehints.decorators import no_annotations

from pipelines.io.files.read_files import parse_messages
from pipelines.io.tables.event_rows import TableInput, event_batches, messages
from transforms import counting
from transforms.parse import EventParser
from transforms.parse.bucket import OUTPUTS, ParsedEvents, parsed_events
from transforms.parse.collect import grouped
from transforms.records import collection_paused


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
                yield from parse_messages(self._parser, grouped(messages(batch)), location.text, self._buckets)
            counting.count(counting.RANGES)
