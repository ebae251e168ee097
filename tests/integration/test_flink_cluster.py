"""Jobs on a standalone Flink cluster whose machines share nothing: the tables of the local job, whatever is killed."""

from __future__ import annotations

import random
import time
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from examples.shop_live.events import LiveShop, write_whole
from pipelines.io.check_outputs import check_output
from pipelines.io.files.store import open_store
from pipelines.io.outputs import DuckDBOutput
from tests.integration.bigquery_place import new_output
from tests.integration.flink_cluster import ClusterJob, ClusterPlace, kill_and_replace
from tests.integration.stream_jobs import run_batch, write_segments
from tests.integration.test_object_stores import EVENTS as EXAMPLE
from tests.integration.test_object_stores import RULES, all_rows, without_source
from tests.integration.test_pubsub_to_bigquery import expect_equal
from transforms.state.process import PROCESS

pytest_plugins = ("tests.integration.flink_fixtures",)

PARTITIONS = 4
DURABLE = (
    "--checkpointing_interval=1000",
    "--finish_bundle_before_checkpointing",
    "--max_bundle_time_mills=200",
    "--externalized_checkpoints_enabled",
    "--max_cache_memory_usage_mb=64",
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


@pytest.mark.servers("bigquery", "kafka")
def test_a_stream_survives_kills_a_restart_of_the_cluster_and_a_new_release(
    flink_cluster: ClusterPlace | None, tmp_path: Path
) -> None:
    assert flink_cluster is not None
    place, chance = flink_cluster, random.Random(2)  # noqa: S311 - no secret, but which one
    now_ms = time.time_ns() // 1_000_000
    shop = list(LiveShop(5, 10, now_ms - 60_000).until(now_ms))
    segments, batch, output = write_segments(tmp_path / "segments"), tmp_path / "batch.duckdb", new_output()
    write_whole(tmp_path / "all.ndjson", shop)
    run_batch([str(tmp_path / "all.ndjson")], segments, batch)
    check_output(output)
    brokers, topic = new_topic(place)
    arguments = [
        f"--input=kafka:{brokers}/{topic}?group={topic}",
        f"--segments={segments}",
        f"--output={output}",
        *DURABLE,
    ]
    # A shelf costs a bundle some round trips, and there is little on each: four are enough for four slots.
    arguments += ["--out_of_orderness=1 second", "--idle_timeout=2 seconds", "--kafka_readers=0", "--shelves=4"]
    parts = [shop[number::4] for number in range(4)]

    publish(brokers, topic, parts[0])
    with ClusterJob(place, 2, tmp_path / "first.log", *arguments) as job:
        job.wait_until(lambda: committed(place, topic) > 0)
        publish(brokers, topic, parts[1])
        kill_and_replace(place, chance)
        job.wait_until(lambda: committed(place, topic) > len(parts[0]))
        publish(brokers, topic, parts[2])
        kill_and_replace(place, chance)
        job.wait_until(lambda: committed(place, topic) >= sum(map(len, parts[:2])))
        savepoint = place.cluster.savepoint(job.running())
    place.cluster.stop()
    place.cluster.start()
    with ClusterJob(place, 4, tmp_path / "second.log", *arguments, f"--savepoint_path={savepoint}") as job:
        publish(brokers, topic, parts[3])
        job.wait_until(lambda: committed(place, topic) == len(shop))
        place.cluster.savepoint(job.running())
    expect_equal(output, DuckDBOutput(str(batch)))
    PROCESS.close()


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
    """How many messages of the topic have gone through the whole job, durably: a checkpoint acknowledges them.

    The tables are not asked while they are written: the emulator of BigQuery cannot do both.
    """
    settings = {"bootstrap.servers": place.running["kafka"].endpoints["broker"], "group.id": topic}
    consumer = Consumer(settings)
    try:
        found = consumer.committed([TopicPartition(topic, number) for number in range(PARTITIONS)], timeout=30)
    finally:
        consumer.close()
    return sum(max(one.offset, 0) for one in found)
