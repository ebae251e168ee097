"""A job for the crash test: copies a topic to a file and acknowledges what is in the file. Prints each line it wrote.

Between source and file everything goes through the runner's memory, where a killed job loses it.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.io.locations import parse_input
from pipelines.io.stream.read_sources import ReadMessages
from pipelines.io.stream.source_options import SourceOptions


class WriteLines(beam.DoFn):
    """Appends to a file, durably, before the bundle ends."""

    def __init__(self, path: str) -> None:
        self._path = path

    def process(self, element: tuple[int, bytes]) -> Iterator[int]:
        lines = element[1] + b"\n"
        with Path(self._path).open("ab") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()
        yield 0


def main(location: str, path: str, *arguments: str) -> None:
    """Runs until it is killed."""
    # Small bounds: many bundles, and so many moments at which to be killed.
    settings = SourceOptions(
        acknowledge="written",
        max_poll_records=7,
        out_of_orderness_seconds=2,
        idle_timeout_seconds=1,
        kafka_settings={"max.partition.fetch.bytes": "1000"},
    )
    reading = ReadMessages([parse_input(location)], settings)
    pipeline = beam.Pipeline(options=PipelineOptions(["--streaming", *arguments]))
    read = pipeline | reading
    written = (
        read.unite()
        | "Key" >> beam.Map(lambda message: (hash(message.raw) % 3, message.raw)).with_output_types(tuple[int, bytes])
        | beam.Reshuffle()
        | beam.ParDo(WriteLines(path))
    )
    _ = (read.receipts, written) | reading.acknowledge_written()
    pipeline.run().wait_until_finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
