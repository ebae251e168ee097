"""Reads the files of a bounded job: byte ranges in, blocks of parsed events and of failures out.

First in a job's graph. Large files of plain lines are read in ranges of some megabytes, in parallel; anything else a
file at a time (contents.py). Each range is read, decoded, validated and sorted into buckets of message ids in one call:
passing events on one by one costs more than all of that.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.typehints.decorators import no_annotations

from pipelines.io.files.containers import ContainerError
from pipelines.io.files.contents import file_messages, range_messages
from pipelines.io.files.listing import RANGE_BYTES, InputFile
from pipelines.io.locations import FileInput
from schemas.event import Event, Failure
from transforms import counting
from transforms.parse import EventParser
from transforms.parse.blocks import EventCollector
from transforms.parse.bucket import OUTPUTS, ParsedEvents, outputs_of, parsed_events
from transforms.parse.lines import CutOffError
from transforms.records import collection_paused

_FLUSH_BYTES = 4 * RANGE_BYTES
"""Of one file's events no more than this is held before blocks of them go on."""


class FileRange(NamedTuple):
    """The lines that start in [start, end) of a file, or (`whole`) all of it, `end` bytes long.

    `source` is the `--input` as given.
    """

    path: str
    whole: bool
    start: int
    end: int
    source: str


def plan_ranges(locations: Iterable[FileInput]) -> list[FileRange]:
    """What there is to read, in pieces."""
    return [piece for location in locations for file in location.files for piece in _pieces(file, location.text)]


def _pieces(file: InputFile, source: str) -> Iterator[FileRange]:
    size_bytes = file.size_bytes
    if not file.splits:
        yield FileRange(file.path, True, 0, size_bytes, source)
        return
    for start in range(0, size_bytes, RANGE_BYTES):
        yield FileRange(file.path, False, start, min(start + RANGE_BYTES, size_bytes), source)


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
            yield from parse_messages(self._parser, messages(piece), piece.source, self._buckets)
        counting.count(counting.RANGES)


def parse_messages(
    parser: EventParser, found: Iterable[bytes | Failure], source: str, bucket_count: int
) -> Iterator[TaggedOutput[str, Any]]:
    """Parses messages into blocks for the outputs of a DoFn that parses."""
    parse = parser.parse
    messages_left = iter(found)
    while True:
        collector = EventCollector(bucket_count)
        failures: list[Failure] = []
        add = collector.add
        read = size_bytes = 0
        for message in messages_left:
            read += 1
            parsed = message if type(message) is Failure else parse(message, source)  # type: ignore[arg-type]
            if type(parsed) is Event:
                add(parsed, message, source)  # type: ignore[arg-type]
                size_bytes += len(message)
            else:
                failures.append(parsed)  # type: ignore[arg-type]
                size_bytes += len(parsed.raw)  # type: ignore[union-attr]
            if size_bytes >= _FLUSH_BYTES:
                break
        counting.count(counting.READ, read)
        for tag, element in outputs_of(collector, failures, parser):
            yield TaggedOutput(tag, element)
        if size_bytes < _FLUSH_BYTES:
            return


class UnreadableFileError(Exception):
    """A file that the operating system does not let be read, or not to its planned end; names it."""


def messages(piece: FileRange) -> Iterator[bytes | Failure]:
    """The records of a range: JSON messages as they stand, Avro and Parquet rows as JSON.

    Raises:
        UnreadableFileError: the file cannot be read. What is in it does not raise.
    """
    try:
        if piece.whole:
            yield from file_messages(piece.path, piece.source, piece.end)
        else:
            yield from range_messages(piece.path, piece.source, piece.start, piece.end)
    except (ContainerError, CutOffError, OSError) as error:
        raise UnreadableFileError(f"{piece.path} cannot be read: {error}") from error
