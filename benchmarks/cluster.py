"""A Flink cluster of hosts that share nothing, on one, two and four slots: `python -m benchmarks.cluster`.

The bounded job reads events from S3 and writes Parquet files there, with so many slots. The stream reads from Kafka and
goes through all stages; its rows are counted and not written, since the emulator of BigQuery would be what is measured.
Each job has a topic of its own, and begins anew. A message counts when a checkpoint has acknowledged it. A bounded job
counts from the start of its process to its end, a stream from when the cluster runs it.

The numbers of slots come one after the other, `--rounds` times over, and a table of all is printed last. All hosts are
this machine: with fewer cores than slots, more slots bring less.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import apache_beam as beam
import boto3
from apache_beam.options.pipeline_options import PipelineOptions
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.batch import DEFAULT_FOLDER, generated, machine
from benchmarks.definitions import ROOT, write_segments
from benchmarks.jobs import running, wait_until
from benchmarks.measure import measure
from pipelines.io.files.store import open_store
from pipelines.io.kafka.client import ask_until_answered
from pipelines.io.locations import parse_inputs
from pipelines.io.stream.read_sources import read_messages
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.tables.hold_rows import HoldRows
from pipelines.options.profiles import parse_profiles_options
from pipelines.stream import FollowMessages, wall_clock_us
from schemas.update import unpack_updates
from services.cluster.flink import FlinkCluster
from services.forwarding import run_in_place
from services.isolation import is_isolated, isolated
from services.manager import ROOT as SERVICES
from services.manager import Manager
from transforms.profiles.evaluate import Rules
from transforms.stream.settings import FixedRules, StreamSettings

SLOTS = (1, 2, 4)
PARTITIONS = 8
LATENESS_US = 10**15
"""The example shop is of another year."""
STREAMING = (
    *("--streaming", "--checkpointing_interval=2000", "--finish_bundle_before_checkpointing"),
    *("--max_bundle_time_mills=200", "--max_cache_memory_usage_mb=64"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command. Returns its exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["--follow"]:
        follow(given[1], given[2], given[3:])
        return 0
    arguments = _arguments(given)
    if not is_isolated():
        FlinkCluster.build(SERVICES)
        for name in ("s3", "kafka"):
            Manager().build(name)
        return run_in_place(isolated([sys.executable, "-m", "benchmarks.cluster", *given]), through_unshare=True)
    events = generated(arguments.folder, arguments.events)
    segments = arguments.folder / f"segments-{arguments.segments}"
    write_segments(segments, arguments.segments)
    print(
        f"{arguments.events:,} events, {arguments.segments} segments; {os.cpu_count()} cores, {machine()}", flush=True
    )
    live = events.read_bytes().splitlines()[: arguments.stream_events]
    told = Told()
    with cluster_and_servers() as (cluster, brokers):
        if "bounded" in arguments.form:
            with open_store("s3://benchmark").writing("in/events.ndjson") as path:
                path.write_bytes(events.read_bytes())
        for _ in range(arguments.rounds):
            for slots in arguments.slots:
                if "bounded" in arguments.form:
                    told.tell("bounded", slots, arguments.events, bounded(cluster, segments, slots))
                if "stream" in arguments.form:
                    told.tell("stream", slots, len(live), stream(cluster, brokers, live, segments, slots))
    told.print_table()
    return 0


class Told:
    """What was measured: printed as it comes, and as a table."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, int, int], list[float]] = {}

    def tell(self, form: str, slots: int, events: int, seconds: float) -> None:
        """One job has ended."""
        self._seconds.setdefault((form, slots, events), []).append(seconds)
        load = os.getloadavg()[0]
        print(f"{form}, {slots} slots: {seconds:,.1f} s, load {load:.1f}", file=sys.stderr, flush=True)

    def print_table(self) -> None:
        """The medians, and all that they are of."""
        print("| | slots | events | seconds | events/s | of all rounds, s |\n| --- | --- | --- | --- | --- | --- |")
        for (form, slots, events), seconds in sorted(self._seconds.items()):
            middle = median(seconds)
            each = ", ".join(f"{one:.1f}" for one in seconds)
            print(f"| {form} | {slots} | {events:,} | {middle:,.1f} | {events / middle:,.0f} | {each} |")


@contextmanager
def cluster_and_servers() -> Iterator[tuple[FlinkCluster, str]]:
    """The cluster, and the brokers of Kafka."""
    with tempfile.TemporaryDirectory(prefix="tidemark-") as folder:
        manager = Manager(state=Path(folder) / "services")
        running_now = [manager.up(name) for name in ("s3", "kafka")]
        try:
            environment = {key: value for one in running_now for key, value in one.environment.items()}
            os.environ.update(environment)
            boto3.client("s3").create_bucket(Bucket="benchmark")
            ports = [int(address.rpartition(":")[2]) for one in running_now for address in one.endpoints.values()]
            cluster = FlinkCluster(SERVICES, Path(folder), environment, "s3://benchmark", ports)
            try:
                cluster.start()
                yield cluster, running_now[1].endpoints["broker"]
            finally:
                cluster.close()
        finally:
            for name in ("kafka", "s3"):
                manager.down(name)


def bounded(cluster: FlinkCluster, segments: Path, slots: int) -> float:
    """The whole job, from its start to its end: how long it took, seconds."""
    given = ["--input", "s3://benchmark/in/events.ndjson", "--segments", str(segments)]
    output = ["--traits", str(ROOT / "traits"), "--output", f"files:s3://benchmark/out-{uuid.uuid4().hex[:8]}"]
    return measure("pipelines.profiles", [*given, *output, *cluster.arguments(slots)]).seconds


def stream(cluster: FlinkCluster, brokers: str, lines: list[bytes], segments: Path, slots: int) -> float:
    """A job, and a topic of its own: seconds from when it runs until all is acknowledged."""
    topic = new_topic(brokers, lines)
    arguments = ["--follow", f"kafka:{brokers}/{topic}?group={topic}", str(segments), *cluster.arguments(slots)]
    log = Path(tempfile.gettempdir()) / f"tidemark-follow-{slots}.log"
    with running("benchmarks.cluster", [*arguments, *STREAMING], log) as job:
        wait_until(job, lambda: bool(cluster.jobs("RUNNING")))
        started = time.monotonic()
        wait_until(job, lambda: acknowledged(brokers, topic) == len(lines))
        seconds = time.monotonic() - started
        (running_now,) = cluster.jobs("RUNNING")
        cluster.savepoint(running_now)
    log.unlink()
    return seconds


def new_topic(brokers: str, lines: list[bytes]) -> str:
    """A topic that holds the lines."""
    topic = f"events-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": brokers, "queue.buffering.max.messages": 2_000_000})
    for line in lines:
        producer.produce(topic, line)
    producer.flush(120)
    return topic


def acknowledged(brokers: str, topic: str) -> int:
    """How many messages a checkpoint has acknowledged."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": topic})
    try:
        asked = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        found = ask_until_answered(lambda: consumer.committed(asked, timeout=30))
    finally:
        consumer.close()
    return sum(max(one.offset, 0) for one in found)


def follow(location: str, segments: str, arguments: list[str]) -> None:
    """The stream's graph without an output, until it is stopped."""
    given = ["--input", location, "--segments", segments, "--traits", str(ROOT / "traits")]
    options = parse_profiles_options([*given, "--output", "duckdb:none.duckdb"])
    rules = FixedRules(Rules(options.definitions))
    settings = StreamSettings(rules, wall_clock_us, allowed_lateness_us=LATENESS_US, buckets=PARTITIONS)
    pipeline = beam.Pipeline(options=PipelineOptions(arguments))
    sources = SourceOptions(kafka_readers=0, out_of_orderness_seconds=10)
    _ = (
        read_messages(pipeline, parse_inputs([location]), sources)
        | "FollowMessages" >> FollowMessages(options.parser(), settings)
        | "HoldRows" >> HoldRows("checkpoint")
        | "Rows" >> beam.Map(_count)
    )
    pipeline.run().wait_until_finish()


def _count(block: bytes) -> int:
    return len(unpack_updates(block))


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000, help="of the bounded job (default %(default)s)")
    parser.add_argument("--stream_events", type=int, default=20_000, help="the first of them (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=1, help="how often each is measured (default %(default)s)")
    parser.add_argument("--segments", type=int, default=10, help="how many segments (default %(default)s)")
    parser.add_argument("--form", nargs="*", choices=("bounded", "stream"), default=("bounded", "stream"))
    parser.add_argument("--slots", nargs="*", type=int, default=SLOTS, help="how many slots, one after the other")
    parser.add_argument(
        "--folder", type=Path, default=DEFAULT_FOLDER, help="where input and definitions go (default %(default)s)"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
