"""Jobs on a standalone Flink cluster whose machines share nothing: the tables of the local job, whatever is killed."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from examples.shop_live.events import LiveShop, write_whole
from pipelines.io.files.store import open_store
from pipelines.io.kafka.client import ask_until_answered
from schemas.tables import MEMBERSHIPS, TABLES
from schemas.update import RowUpdate, unpack_updates
from tests.integration.flink_cluster import ClusterJob, ClusterPlace, kill_and_replace
from tests.integration.stream_jobs import ask, run_batch, write_segments
from tests.integration.test_object_stores import EVENTS as EXAMPLE
from tests.integration.test_object_stores import RULES, all_rows, without_source

pytest_plugins = ("tests.integration.flink_fixtures",)

PARTITIONS = 4
DURABLE = (
    "--checkpointing_interval=1000",
    "--finish_bundle_before_checkpointing",
    "--max_bundle_time_mills=200",
    "--externalized_checkpoints_enabled",
    "--max_cache_memory_usage_mb=64",
    "--streaming",
)


@pytest.mark.servers
def test_a_bounded_job_survives_a_task_manager_and_ends_as_the_local_one(
    flink_cluster: ClusterPlace | None, tmp_path: Path
) -> None:
    assert flink_cluster is not None
    place, bucket = flink_cluster, flink_cluster.bucket
    with open_store(bucket).writing("in/events.ndjson") as path:
        path.write_bytes(EXAMPLE.read_bytes())
    local = tmp_path / "local.duckdb"
    run_batch_with_rules(str(EXAMPLE), local)
    expected = without_source(all_rows(f"duckdb:{local}"))
    common = ["--input", f"{bucket}/in/events.ndjson", *RULES]

    staged = f"duckdb:{tmp_path}/staged.duckdb"
    with ClusterJob(place, 2, tmp_path / "one.log", *common, f"--output={staged}", f"--staging={bucket}/b") as job:
        job.wait_until(lambda: bool(job.running()))
        job.wait_until(lambda: any("tidemark-staging" in file.name for file in open_store(f"{bucket}/b").list()))
        kill_and_replace(place, random.Random(1))  # noqa: S311 - no secret, but which one
        assert job.wait() == 0, job.log()
    assert without_source(all_rows(staged)) == expected
    assert open_store(f"{bucket}/b").list() == []

    with ClusterJob(place, 4, tmp_path / "two.log", *common, f"--output=files:{bucket}/out") as job:
        assert job.wait() == 0, job.log()
    assert without_source(all_rows(f"files:{bucket}/out")) == expected


@pytest.mark.servers("kafka")
def test_a_stream_goes_on_from_a_savepoint_on_another_cluster_with_more_slots(
    flink_cluster: ClusterPlace | None, tmp_path: Path
) -> None:
    assert flink_cluster is not None
    place, now_ms = flink_cluster, time.time_ns() // 1_000_000
    shop = list(LiveShop(5, 10, now_ms - 30_000).until(now_ms))
    segments, batch = write_segments(tmp_path / "segments"), tmp_path / "batch.duckdb"
    write_whole(tmp_path / "all.ndjson", shop)
    run_batch([str(tmp_path / "all.ndjson")], segments, batch)
    brokers, topic = new_topic(place)
    store = f"{place.bucket}/rows"
    job = ["tests.integration.cluster_stream_job", f"kafka:{brokers}/{topic}?group={topic}", str(segments), store]
    half = len(shop) // 2

    publish(brokers, topic, shop[:half])
    with ClusterJob(place, 2, tmp_path / "first.log", *DURABLE, job=job) as first:
        first.wait_until(lambda: committed(place, topic) == half)
        savepoint = place.cluster.savepoint(first.running())
    place.cluster.stop()
    place.cluster.start()
    publish(brokers, topic, shop[half:])
    resumed = f"--savepoint_path={savepoint}"
    with ClusterJob(place, 4, tmp_path / "second.log", *DURABLE, resumed, job=job) as second:
        second.wait_until(lambda: committed(place, topic) == len(shop))
        place.cluster.savepoint(second.running())
    expected = {row[0] for row in ask(batch, "SELECT message_id FROM events")}
    rows = newest_rows(store)
    assert {key[0] for table, key in rows if table == "events"} == expected
    stays = "SELECT profile_id, segment FROM memberships WHERE exited_at IS NULL"
    found = {key[:2] for (table, key), row in rows.items() if table == "memberships" and row[EXITED_AT] is None}
    assert found == set(ask(batch, stays))


def run_batch_with_rules(events: str, output: Path) -> None:
    from pipelines.profiles import main

    assert main([f"--input={events}", *RULES, f"--output=duckdb:{output}"]) == 0


def new_topic(place: ClusterPlace) -> tuple[str, str]:
    brokers, topic = place.running["kafka"].endpoints["broker"], f"events-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
    return brokers, topic


def publish(brokers: str, topic: str, messages: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": brokers})
    for message in messages:
        producer.produce(topic, message)
    assert producer.flush(30) == 0


def committed(place: ClusterPlace, topic: str) -> int:
    """How many messages of the topic have gone through the whole job, durably: a checkpoint acknowledges them."""
    settings = {"bootstrap.servers": place.running["kafka"].endpoints["broker"], "group.id": topic}
    consumer = Consumer(settings)
    try:
        asked = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        found = ask_until_answered(lambda: consumer.committed(asked, timeout=30))
    finally:
        consumer.close()
    return sum(max(one.offset, 0) for one in found)


EXITED_AT = MEMBERSHIPS.column_names().index("exited_at")


def newest_rows(store: str) -> dict[tuple[str, tuple[Any, ...]], tuple[Any, ...]]:
    """The rows that stand, by table and key: of each the newest version that was not withdrawn."""
    keys = {table.name: len(table.key) for table in TABLES}
    newest: dict[tuple[str, tuple[Any, ...]], RowUpdate] = {}
    for name in sorted(file.name for file in open_store(store).list()):
        for update in updates_of(open_store(store).read(name) or b""):
            key = (update.table, tuple(update.row[: keys[update.table]]))
            if key not in newest or update.version >= newest[key].version:
                newest[key] = update
    return {key: update.row for key, update in newest.items() if not update.withdrawn}


def updates_of(content: bytes) -> Iterator[RowUpdate]:
    """The rows of a file that the job kept."""
    while content:
        length = int.from_bytes(content[:8], "big")
        yield from unpack_updates(content[8 : 8 + length])
        content = content[8 + length :]
