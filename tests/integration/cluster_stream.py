"""A stream on the Flink cluster, from Kafka into BigQuery, and its tables beside those of a bounded job."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from examples.shop_live.events import LiveShop, write_whole
from pipelines.io.kafka.client import ask_until_answered
from pipelines.io.outputs import DuckDBOutput, Output
from schemas.tables import MEMBERSHIP_CHANGES, MEMBERSHIPS, TABLES
from tests.integration.bigquery_place import new_output, rows_in
from tests.integration.flink_cluster import JOB, ClusterJob, ClusterPlace
from tests.integration.stream_jobs import (
    SAME,
    run_batch,
    with_companies,
    with_second_thoughts,
    write_segments,
)
from tests.stream.simulation import sum_of_log

PARTITIONS = 4
DURABLE = (
    "--checkpointing_interval=2000",
    "--finish_bundle_before_checkpointing",
    "--max_bundle_time_mills=200",
    "--externalized_checkpoints_enabled",
    "--max_cache_memory_usage_mb=64",
    "--streaming",
)
QUICK = (
    *("--out_of_orderness=1 second", "--idle_timeout=2 seconds", "--refresh=2 seconds"),
    *("--kafka_readers=0", "--shelves=4"),
)
_ALL_WRITTEN = 3
"""After the checkpoint that acknowledges a message come one that has its rows, and one that is complete when they are
written."""


class ClusterStream:
    """Events of a shop, a topic for them, and a dataset for what a stream on the cluster makes of them.

    Args:
        seconds: how much of the shop's time the events are of, ten of them a second and what takes them back.
        chance: decides their order: it is not that in which they happened.
    """

    def __init__(self, place: ClusterPlace, folder: Path, now_ms: int, seconds: int, chance: random.Random) -> None:
        self.place = place
        self.folder = folder
        shop = LiveShop(5, 10, now_ms - 1_000 * seconds).until(now_ms)
        self.messages = list(with_second_thoughts(with_companies(shop)))
        write_whole(folder / "all.ndjson", self.messages)
        self.follow_rules(write_segments(folder / "segments"))
        chance.shuffle(self.messages)
        self.topic = new_topic(place)
        self.published = 0
        self.output = new_output()

    def follow_rules(self, segments: Path) -> None:
        """Jobs that are started now follow these rules, and so does the bounded job."""
        self.segments = segments
        self.batch = DuckDBOutput(str(self.folder / f"{segments.name}.duckdb"))
        run_batch([str(self.folder / "all.ndjson")], segments, Path(self.batch.path))

    def job(self, name: str, parallelism: int, *more: str, module: str = JOB) -> ClusterJob:
        """The command, on the cluster."""
        source = f"kafka:{_brokers(self.place)}/{self.topic}?group={self.topic}"
        given = [f"--input={source}", f"--segments={self.segments}", f"--output={self.output}", *QUICK, *DURABLE, *more]
        return ClusterJob(self.place, parallelism, self.folder / f"{name}.log", *given, job=(module,))

    def publish(self, until: float) -> None:
        """Publishes messages up to this share of all."""
        first, self.published = self.published, round(until * len(self.messages))
        publish(self.place, self.topic, self.messages[first : self.published])

    def acknowledged(self) -> bool:
        """Whether all that was published has gone through the whole job, durably."""
        return committed(self.place, self.topic) == self.published

    def wait_for_rows(self, job: ClusterJob) -> None:
        """Until the rows of all that was published are in the tables."""
        job.wait_until(self.acknowledged)
        enough = self.place.cluster.checkpoints(job.running()) + _ALL_WRITTEN
        job.wait_until(lambda: self.place.cluster.checkpoints(job.running()) >= enough)

    def differences(self) -> dict[str, tuple[set[str], set[str]]]:
        """By table, the rows that only the stream has and those that only the bounded job has."""
        found = {}
        for name in SAME:
            stream, batch = (comparable(output, name) for output in (self.output, self.batch))
            if stream != batch:
                found[name] = set(stream) - set(batch), set(batch) - set(stream)
        return found

    def log_is_right(self) -> bool:
        """Whether the rows of `membership_changes` come to the memberships."""
        exited_at = MEMBERSHIPS.column_names().index("exited_at")
        stays = {row[:3]: row[exited_at] for row in rows_in(self.output, MEMBERSHIPS)}
        return sum_of_log(rows_in(self.output, MEMBERSHIP_CHANGES)) == stays


def comparable(output: Output, name: str) -> list[str]:
    """The rows of a table, without what may differ."""
    table = next(table for table in TABLES if table.name == name)
    kept = [place for place, column in enumerate(table.column_names()) if column in SAME[name]]
    return sorted(repr([row[place] for place in kept]) for row in rows_in(output, table))


def new_topic(place: ClusterPlace) -> str:
    topic = f"events-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": _brokers(place)})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
    return topic


def publish(place: ClusterPlace, topic: str, messages: Sequence[bytes]) -> None:
    producer = Producer({"bootstrap.servers": _brokers(place)})
    for message in messages:
        producer.produce(topic, message)
    assert producer.flush(30) == 0


def committed(place: ClusterPlace, topic: str) -> int:
    """How many messages of the topic have gone through the whole job, durably: a checkpoint acknowledges them."""
    consumer = Consumer({"bootstrap.servers": _brokers(place), "group.id": topic})
    try:
        asked = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        found: list[Any] = ask_until_answered(lambda: consumer.committed(asked, timeout=30))
    finally:
        consumer.close()
    return sum(max(one.offset, 0) for one in found)


def _brokers(place: ClusterPlace) -> str:
    return place.running["kafka"].endpoints["broker"]
