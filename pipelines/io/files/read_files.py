"""Reads the files of a bounded job: byte ranges in, blocks of parsed events and of failures out.

First in a job's graph. Plain NDJSON is read in ranges of some megabytes, in parallel; compressed files, Avro and
Parquet a file at a time. Each range is read, decoded, validated and sorted into buckets of message ids in one call:
passing events on one by one costs more than all of that.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.pvalue import TaggedOutput
from apache_beam.typehints.decorators import no_annotations

from pipelines.io.locations import FileInput, InputFile, find_files
from schemas.block import TableBlock
from schemas.event import Event, Failure
from transforms import counting
from transforms.failed_events import count_failures, failed_events_block
from transforms.parse import EventParser, avro_messages, parquet_messages
from transforms.records import Buckets, collection_paused

RANGE_BYTES = 8 * 1024 * 1024
"""Large enough that a range's 20,000 events fill every bucket's block, small enough to keep many workers busy."""
_COMPRESSION = 8
"""What a gzipped file is assumed to grow by."""


class FileRange(NamedTuple):
    """The lines that start in [start, end) of a file, or (end None) all of it. `source` is the `--input` as given."""

    path: str
    format: str
    gzipped: bool
    start: int
    end: int | None
    source: str


Outputs: TypeAlias = TaggedOutput[Literal["events"], tuple[int, bytes]] | TaggedOutput[Literal["failed"], TableBlock]


class ParsedEvents(NamedTuple):
    """Blocks of (event, bytes, source), keyed by bucket of message id; rows of failed_events."""

    events: beam.PCollection[tuple[int, bytes]]
    failed: beam.PCollection[TableBlock]


def plan_ranges(locations: Iterable[FileInput]) -> list[FileRange]:
    """What there is to read, in pieces."""
    return [piece for location in locations for file in find_files(location) for piece in _pieces(file, location.text)]


def _pieces(file: InputFile, source: str) -> Iterator[FileRange]:
    if file.gzipped or file.format != "ndjson":
        yield FileRange(file.path, file.format, file.gzipped, 0, None, source)
        return
    for start in range(0, file.size_bytes, RANGE_BYTES):
        yield FileRange(file.path, file.format, False, start, start + RANGE_BYTES, source)


def input_bytes(locations: Iterable[FileInput]) -> int:
    """About how many bytes of events there are."""
    files = [file for location in locations for file in find_files(location)]
    return sum(file.size_bytes * (_COMPRESSION if file.gzipped else 1) for file in files)


class ReadFiles(beam.PTransform):
    """Every record of the files, parsed. A file or range that cannot be opened fails the job."""

    def __init__(self, locations: Iterable[FileInput], parser: EventParser, buckets: int) -> None:
        super().__init__()
        self._ranges = plan_ranges(locations)
        self._parser = parser
        self._buckets = buckets

    @no_annotations
    def expand(self, begin: beam.pvalue.PBegin) -> ParsedEvents:
        outputs = (
            begin
            | "Ranges" >> beam.Create(self._ranges)
            | "Spread" >> beam.Reshuffle()
            | "Parse" >> beam.ParDo(_ParseRange(self._parser, self._buckets)).with_outputs(*ParsedEvents._fields)
        )
        return ParsedEvents(outputs.events, outputs.failed)


class _ParseRange(beam.DoFn):
    def __init__(self, parser: EventParser, buckets: int) -> None:
        self._parser = parser
        self._buckets = buckets

    def process(self, piece: FileRange) -> Iterator[Outputs]:
        with collection_paused():
            yield from parse_messages(self._parser, messages(piece), piece.source, self._buckets)
        counting.count(counting.RANGES)


def parse_messages(
    parser: EventParser, found: Iterable[bytes | Failure], source: str, bucket_count: int
) -> Iterator[Outputs]:
    """Parses messages into blocks for `events` and `failed`."""
    buckets = Buckets(bucket_count)
    failures: list[Failure] = []
    parse, add = parser.parse, buckets.add
    read = 0
    for message in found:
        read += 1
        parsed = message if type(message) is Failure else parse(message, source)  # type: ignore[arg-type]
        if type(parsed) is Event:
            add(parsed.message_id, (*parsed, message, source))
        else:
            failures.append(parsed)  # type: ignore[arg-type]
    counting.count(counting.READ, read)
    counting.count_parsed(parser)
    for block in buckets.blocks():
        yield TaggedOutput("events", block)
    if failures:
        count_failures(failures)
        yield TaggedOutput("failed", failed_events_block(failures))


class UnreadableFileError(Exception):
    """A file that the operating system or its compression does not let be read; names it."""


def messages(piece: FileRange) -> Iterator[bytes | Failure]:
    """The records of a range: JSON messages as they stand, Avro and Parquet rows as JSON.

    Raises:
        UnreadableFileError: the file cannot be read. What is in it does not raise.
    """
    try:
        yield from _messages(piece)
    except (EOFError, OSError, zlib.error) as error:
        raise UnreadableFileError(f"{piece.path} cannot be read: {error}") from error


def _messages(piece: FileRange) -> Iterator[bytes | Failure]:
    with FileSystems.open(piece.path, compression_type=CompressionTypes.UNCOMPRESSED) as raw:
        file: Any = gzip.GzipFile(fileobj=raw) if piece.gzipped else raw
        if piece.format == "avro":
            yield from avro_messages(file, piece.source)
        elif piece.format == "parquet":
            yield from parquet_messages(file, piece.source)
        else:
            lines = _all_lines(file) if piece.end is None else _lines_from(file, piece.start, piece.end)
            for line in lines:
                if line and not line.isspace():
                    yield line


def _lines_from(file: Any, start: int, end: int) -> Iterable[bytes]:
    """The lines that start in [start, end), without line breaks."""
    if start:
        file.seek(start - 1)
        start += len(file.readline()) - 1
    if start >= end:
        return []
    data = file.read(end - start)
    if not data.endswith(b"\n"):
        data += file.readline()
    return _split(data)


def _all_lines(file: Any) -> Iterator[bytes]:
    while data := file.read(RANGE_BYTES):
        if not data.endswith(b"\n"):
            data += file.readline()
        yield from _split(data)


def _split(data: bytes) -> list[bytes]:
    # Not splitlines(): it also splits at lone carriage returns, which belong to the record.
    lines: list[bytes] = data.split(b"\n")
    if b"\r\n" not in data:
        return lines
    # What follows the last line break has none of its own: a carriage return there belongs to the record.
    return [line.removesuffix(b"\r") for line in lines[:-1]] + lines[-1:]
