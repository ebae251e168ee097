"""The rule as most people would write it (idiomatic_stream.py), from Kafka, told when it changes.

`python -m benchmarks.idiomatic_latency BROKERS TOPIC PRISM FILE`. Appends who changed and when, in microseconds, to the
file. Kafka is read by our source: Beam's own needs Java, and hangs on the local streaming runners.
"""

import sys
import time
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from benchmarks.idiomatic_beam import ParseAndValidate
from benchmarks.idiomatic_stream import FollowVisitors
from pipelines.io.locations import parse_inputs
from pipelines.io.stream.read_sources import read_messages
from pipelines.io.stream.source_options import SourceOptions
from pipelines.stream_runner import ONE_BUNDLE_A_KEY
from schemas.message import Message


class Tell(beam.DoFn):
    """A line for each change."""

    def __init__(self, path: str) -> None:
        self._path = path

    def process(self, change: tuple[str, str]) -> None:
        with Path(self._path).open("a") as file:
            file.write(f"{change[0]} {time.time_ns() // 1_000}\n")


def _raw(message: Message) -> bytes:
    return message.raw


def main(brokers: str, topic: str, prism: str, path: str) -> None:
    """Runs it until it is stopped."""
    arguments = ["--runner=PrismRunner", f"--prism_location={prism}", "--streaming"]
    pipeline = beam.Pipeline(options=PipelineOptions([*arguments, f"--experiments={ONE_BUNDLE_A_KEY}"]))
    _ = (
        read_messages(pipeline, parse_inputs([f"kafka:{brokers}/{topic}"]), SourceOptions())
        | "Raw" >> beam.Map(_raw).with_output_types(bytes)
        | "ParseAndValidate" >> beam.ParDo(ParseAndValidate()).with_output_types(tuple[str, Any])
        | "FollowVisitors" >> beam.ParDo(FollowVisitors())
        | "Tell" >> beam.ParDo(Tell(path))
    )
    pipeline.run().wait_until_finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
