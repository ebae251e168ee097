"""A job for the cluster's test: the stream's graph from Kafka to rows, which are kept as files of an object store.

`python -m tests.integration.cluster_stream_job LOCATION SEGMENTS STORE [Beam's arguments]`. The emulator of BigQuery
cannot be written by two processes at once, as workers of two machines do.
"""

import sys
import time
import uuid

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.io.files.store import open_store
from pipelines.io.locations import parse_inputs
from pipelines.io.stream.read_sources import read_messages
from pipelines.io.stream.source_options import SourceOptions
from pipelines.options.profiles import parse_profiles_options
from pipelines.stream import FollowMessages, wall_clock_us
from transforms.profiles.evaluate import Rules
from transforms.stream.settings import FixedRules, StreamSettings

SHELVES = 4
LATENESS_US = 30 * 86_400 * 10**6


class KeepRows(beam.DoFn):
    """A file for each bundle, whose name is when it was written; its blocks of rows follow their lengths."""

    def __init__(self, store: str) -> None:
        self._store = store

    def start_bundle(self) -> None:
        self._kept: list[bytes] = []

    def process(self, block: bytes) -> None:
        self._kept.append(block)

    def finish_bundle(self) -> None:
        if self._kept:
            content = b"".join(len(block).to_bytes(8, "big") + block for block in self._kept)
            open_store(self._store).write(f"{time.time_ns():020}-{uuid.uuid4().hex}", content)


def main(location: str, segments: str, store: str, *arguments: str) -> None:
    """Runs until the job is cancelled."""
    given = ["--input", location, "--segments", segments, "--output", "duckdb:none.duckdb"]
    options = parse_profiles_options(given)
    settings = StreamSettings(
        FixedRules(Rules(options.definitions)), wall_clock_us, allowed_lateness_us=LATENESS_US, buckets=SHELVES
    )
    sources = SourceOptions(kafka_readers=0, out_of_orderness_seconds=1, idle_timeout_seconds=2)
    pipeline = beam.Pipeline(options=PipelineOptions(list(arguments)))
    _ = (
        read_messages(pipeline, parse_inputs([location]), sources)
        | "FollowMessages" >> FollowMessages(options.parser(), settings)
        | "KeepRows" >> beam.ParDo(KeepRows(store))
    )
    pipeline.run().wait_until_finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
