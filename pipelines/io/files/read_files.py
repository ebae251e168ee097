"""Reads the files of a bounded job: byte ranges in, blocks of parsed events and of failures out.

First in a job's graph. Large files of plain lines are read in ranges of some megabytes, in parallel; anything else a
file at a time (contents.py). Each range is read, decoded, validated and sorted into buckets of message ids in one call:
passing events on one by one costs more than all of that.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.typehints.decorators import no_annotations

from pipelines.io.files.ranges import FileRange, plan_ranges
from pipelines.io.locations import FileInput
from schemas.event import Failure
from transforms import counting
from transforms.parse import EventParser
from transforms.parse.blocks import Origin
from transforms.parse.bucket import OUTPUTS, ParsedEvents, outputs_of, parsed_events
from transforms.parse.collect import collect
from transforms.records import collection_paused


class ReadFiles(beam.PTransform[beam.pvalue.PBegin, ParsedEvents]):
    """Every record of the files, parsed. A file or range that cannot be opened fails the job."""

    def __init__(self, locations: Iterable[FileInput], parser: EventParser, buckets: int) -> None:
        super().__init__()
        self._ranges = plan_ranges(locations)
        self._parser = parser
        self._buckets = buckets

    @no_annotations
    def expand(self, begin: beam.pvalue.PBegin) -> ParsedEvents:
        return parsed_events(
            begin
            | "Ranges" >> beam.Create(self._ranges)
            | "Spread" >> beam.Reshuffle()
            | "Parse" >> beam.ParDo(_ParseRange(self._parser, self._buckets)).with_outputs(*OUTPUTS)
        )


class _ParseRange(beam.DoFn):
    def __init__(self, parser: EventParser, buckets: int) -> None:
        self._parser = parser
        self._buckets = buckets

    @no_annotations
    def process(self, piece: FileRange) -> Iterator[TaggedOutput[str, Any]]:
        with collection_paused():
            # What is no line of a file would have to be unpacked once more for a few of its records.
            origin = None if piece.whole else piece
            yield from parse_messages(self._parser, piece.groups(), piece.source, self._buckets, origin)
        counting.count(counting.RANGES)


def parse_messages(
    parser: EventParser,
    groups: Iterable[Sequence[bytes | Failure]],
    source: str,
    bucket_count: int,
    origin: Origin | None = None,
) -> Iterator[TaggedOutput[str, Any]]:
    """Parses messages, some at a time, into blocks for the outputs of a DoFn that parses."""
    for parsed in collect(parser, groups, source, bucket_count, origin):
        counting.count(counting.READ, parsed.read)
        for tag, element in outputs_of(parsed.events, parsed.failures, parser):
            yield TaggedOutput(tag, element)
