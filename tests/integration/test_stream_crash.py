"""The job is killed at random points while events flow from Kafka: nothing is lost, nothing is counted twice."""

import random
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from examples.shop_live.events import LiveShop, write_whole
from services.service import Running
from tests.integration.stream_jobs import (
    StreamJob,
    messages_written,
    run_batch,
    stays,
    stays_told,
    tables,
    write_segments,
)
from transforms.state.process import PROCESS

DEATHS = 4


@pytest.fixture
def brokers(kafka_broker: Running) -> Iterator[str]:
    yield kafka_broker.endpoints["broker"]
    PROCESS.close()


@pytest.fixture
def topic(brokers: str) -> str:
    name = f"events-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(name, 3, 1)])[name].result(30)
    return name


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_points_the_tables_end_as_the_batch_job(
    brokers: str, topic: str, prism_binary: Path, tmp_path: Path, seed: int
) -> None:
    moments = random.Random(seed)  # noqa: S311 - no secret, but moments to be killed at
    now_ms = time.time_ns() // 1_000_000
    shop = list(LiveShop(seed, 20, now_ms - 60_000).until(now_ms))
    segments, output, batch = write_segments(tmp_path / "segments"), tmp_path / "live.duckdb", tmp_path / "batch.duckdb"
    write_whole(tmp_path / "all.ndjson", shop)
    run_batch([str(tmp_path / "all.ndjson")], segments, batch)
    expected = tables(batch)
    source = f"kafka:{brokers}/{topic}"
    producer = Producer({"bootstrap.servers": brokers})
    published = 0
    for death in range(DEATHS + 1):
        upto = len(shop) * (death + 1) // (DEATHS + 1)
        for message in shop[published:upto]:
            producer.produce(topic, message)
        assert producer.flush(30) == 0
        published = upto
        with StreamJob([source], segments, output, prism_binary) as job:
            if death < DEATHS:
                before = messages_written(output)
                goal = before + moments.randrange(1, len(shop) // (DEATHS + 1))
                looks = moments.randrange(5, 60)  # killed while it boots, or when it has got somewhere
                job.wait_until(after(looks) if death % 2 else reached(output, goal))
                job.kill()
            else:
                job.wait_until(lambda: tables(output)["events"] == expected["events"])
                job.wait_until(lambda: tables(output) == expected)
                assert job.stop() == 0
    assert stays_told(output) == stays(output)


def reached(output: Path, goal: int) -> Callable[[], bool]:
    return lambda: messages_written(output) >= goal


def after(looks: int) -> Callable[[], bool]:
    return iter([*[False] * looks, True]).__next__
