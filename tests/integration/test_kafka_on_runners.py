"""Kafka in whole pipelines on Prism and Flink: event-time timers beside an idle partition, and a job that is killed."""

import json
import os
import queue
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipelines.io.kafka.client import ask_until_answered
from pipelines.io.locations import parse_input
from pipelines.io.stream.read_sources import read_messages
from pipelines.io.stream.source_options import SourceOptions
from pipelines.stream_runner import ONE_BUNDLE_A_KEY
from services.service import Running
from transforms.state.process import PROCESS

WAIT_SECONDS = 90
MOST_LIVES = 40
"""Some six are enough on a quiet machine."""
COPY_JOB = Path(__file__).with_name("kafka_copy_job.py")


@pytest.fixture
def brokers(kafka_broker: Running) -> Iterator[str]:
    yield kafka_broker.endpoints["broker"]
    PROCESS.close()


@pytest.fixture
def topic(brokers: str) -> str:
    """A topic of two partitions."""
    name = f"events-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(name, 2, 1)])[name].result(30)
    return name


def publish(brokers: str, topic: str, bodies: list[str], partition: int = -1) -> None:
    producer = Producer({"bootstrap.servers": brokers})
    for body in bodies:
        producer.produce(topic, body.encode(), partition=partition)
    assert producer.flush(30) == 0


def committed(brokers: str, topic: str, group: str) -> int:
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": group})
    asked = [TopicPartition(topic, number) for number in range(2)]
    places = ask_until_answered(lambda: consumer.committed(asked, timeout=30))
    consumer.close()
    return sum(max(place.offset, 0) for place in places)


class FireAfterASecond(beam.DoFn):
    """Says what arrived, and when the watermark has passed the event by a second."""

    DUE = TimerSpec("due", TimeDomain.WATERMARK)
    said: ClassVar["queue.Queue[str]"] = queue.Queue()

    def process(self, element: tuple[str, int], due: Any = beam.DoFn.TimerParam(DUE)) -> None:
        self.said.put(f"{element[0]} arrived")
        due.set(Timestamp(element[1] + 1))

    @on_timer(DUE)
    def fire(self, key: str = beam.DoFn.KeyParam) -> None:
        self.said.put(f"{key} was a second ago")


def to_key_and_second(message: Any) -> tuple[str, int]:
    event = json.loads(message.raw)
    return event["messageId"], int(datetime.fromisoformat(event["timestamp"]).timestamp())


def start_timer_job(location: str, settings: SourceOptions, arguments: list[str]) -> Any:
    pipeline = beam.Pipeline(options=PipelineOptions(["--streaming", *arguments]))
    keyed = beam.Map(to_key_and_second).with_output_types(tuple[str, int])
    _ = read_messages(pipeline, [parse_input(location)], settings) | keyed | beam.ParDo(FireAfterASecond())
    return pipeline.run()


def check_timers(brokers: str, topic: str, settings: SourceOptions, arguments: list[str]) -> None:
    said = FireAfterASecond.said
    job = start_timer_job(f"kafka:{brokers}/{topic}?group={topic}", settings, arguments)
    event = {"messageId": "a", "timestamp": datetime.now(UTC).isoformat()}
    publish(brokers, topic, [json.dumps(event)], partition=0)
    assert said.get(timeout=WAIT_SECONDS) == "a arrived"
    # The other partition never has a record. Without idle handling its watermark would hold the timer for ever.
    assert said.get(timeout=WAIT_SECONDS) == "a was a second ago"
    passed = datetime.now(UTC) - datetime.fromisoformat(event["timestamp"])
    assert passed.total_seconds() > 1 + settings.out_of_orderness_seconds, "the timer is never early"
    for _ in range(WAIT_SECONDS * 10):
        if committed(brokers, topic, topic) == 1:
            break
    assert committed(brokers, topic, topic) == 1, "acknowledged once the bundle was durable"
    job.cancel()


def test_an_idle_partition_does_not_stall_timers_on_prism(brokers: str, topic: str, prism_binary: Path) -> None:
    settings = SourceOptions(out_of_orderness_seconds=0.5, idle_timeout_seconds=1)
    check_timers(brokers, topic, settings, ["--runner=PrismRunner", f"--prism_location={prism_binary}"])


# Beam's worker threads end with an exception when the job that they work for is cancelled.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_idle_partition_does_not_stall_timers_on_flink(
    brokers: str, topic: str, flink_job_server: Running | None
) -> None:
    assert flink_job_server is not None
    settings = SourceOptions(out_of_orderness_seconds=0.5, idle_timeout_seconds=1, kafka_readers=0)
    endpoint = f"--job_endpoint={flink_job_server.endpoints['jobs']}"
    # Without the second of these, this Flink runner loses what an operator gives out while it is being checkpointed.
    durable = ["--checkpointing_interval=500", "--finish_bundle_before_checkpointing", "--max_bundle_time_mills=100"]
    where = ["--runner=PortableRunner", endpoint, "--environment_type=LOOPBACK", "--parallelism=2"]
    check_timers(brokers, topic, settings, [*where, *durable])


@pytest.mark.parametrize("seed", range(2))
def test_a_job_that_is_killed_on_prism_loses_nothing(
    brokers: str, topic: str, prism_binary: Path, tmp_path: Path, seed: int
) -> None:
    """Killed at random points, started anew each time. What comes twice is for the deduplication further on."""
    random_number = random.Random(seed)  # noqa: S311 - no secret, but moments to be killed at
    copy = tmp_path / "copy"
    expected = [f'{{"timestamp":"2026-01-01T00:{n // 60:02}:{n % 60:02}Z"}}' for n in range(600)]
    # Small batches in turn: so the reader sees both partitions advance, and with them the watermark.
    for start in range(0, 600, 20):
        publish(brokers, topic, expected[start : start + 10], partition=0)
        publish(brokers, topic, expected[start + 10 : start + 20], partition=1)
    location = f"kafka:{brokers}/{topic}?group={topic}"
    prism = [f"--prism_location={prism_binary}", "--runner=PrismRunner", f"--experiments={ONE_BUNDLE_A_KEY}"]
    command = [sys.executable, str(COPY_JOB), location, str(copy), *prism]
    lives = 0
    copy.touch()
    while set(copy.read_text().split()) < set(expected):
        lives += 1
        # Offsets are committed once rows are written: on a busy machine a short life may commit nothing.
        assert lives < MOST_LIVES, "it starts from the beginning each time"
        # A session of its own, so that Prism, which it starts, ends with it.
        job = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        assert job.stdout is not None
        for _ in range(random_number.randrange(100, 300)):
            job.stdout.readline()
            if set(copy.read_text().split()) >= set(expected):
                break
        os.killpg(job.pid, signal.SIGKILL)
        job.wait()
        job.stdout.close()
    assert sorted(set(copy.read_text().split())) == sorted(expected)
    assert lives > 1, "it was killed at least once"
