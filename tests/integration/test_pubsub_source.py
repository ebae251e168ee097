"""The Pub/Sub source against the emulator: batch by batch, and in a whole job on Prism."""

import json
import queue
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from pipelines.io.locations import PubSubInput, parse_input
from pipelines.io.pubsub.source import PubSubSource
from pipelines.io.stream.read_sources import read_messages
from pipelines.io.stream.source import Batch, Progress, Reader, now_us
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark
from schemas.errors import InputError
from schemas.message import Message
from services.service import Running
from transforms.state.process import PROCESS

ONLY = Reader(0, 1)
SECOND = 1_000_000
MANY = 60


class Shop(NamedTuple):
    """A topic with one subscription."""

    topic: str
    subscription: str
    publisher: PublisherClient

    def publish(self, body: bytes, **attributes: str) -> None:
        self.publisher.publish(self.topic, body, **attributes).result(30)


@pytest.fixture
def shop(pubsub_emulator: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_emulator.environment["PUBSUB_EMULATOR_HOST"])
    name = f"events-{uuid.uuid4().hex[:8]}"
    topic, subscription = f"projects/test-project/topics/{name}", f"projects/test-project/subscriptions/{name}"
    with PublisherClient() as publisher, SubscriberClient() as subscriber:
        publisher.create_topic(name=topic)
        subscriber.create_subscription(name=subscription, topic=topic)
        yield Shop(topic, subscription, publisher)
        publisher.stop()
    PROCESS.close()


class Job:
    """Reads as a runner would, under a clock that the test moves."""

    def __init__(self, subscription: str, **options: object) -> None:
        self.now_us = now_us()
        location = parse_input(f"pubsub:{subscription}")
        assert isinstance(location, PubSubInput)
        self.options = SourceOptions(**{"pull_seconds": 1.0, **options})  # type: ignore[arg-type]
        self.source = PubSubSource(location, self.options, clock=lambda: self.now_us)
        self.progress = self.source.start(ONLY)
        self.watermark = StreamWatermark(self.options.watermark_policy)

    def batch(self) -> Batch:
        batch = self.source.read(ONLY, self.progress, self.watermark)
        self.progress = Progress(batch.positions)
        return batch

    def batch_with_records(self) -> Batch:
        return next(batch for _ in range(MANY) if (batch := self.batch()).records)


def test_messages_come_with_their_attributes(shop: Shop) -> None:
    shop.publish(b"hello", shop="north")
    job = Job(shop.subscription)
    (record,) = job.batch_with_records().records
    came_us = record.message.came_us
    assert record.message == Message(b"hello", f"pubsub:{shop.subscription}", {"shop": "north"}, came_us=came_us)
    assert 0 < came_us <= now_us(), "when it was published"
    assert job.progress.positions == {"subscription": 1}


def test_what_is_acknowledged_does_not_come_again_and_what_is_not_does(shop: Shop) -> None:
    shop.publish(b"done")
    job = Job(shop.subscription, ack_deadline_seconds=1)
    job.source.acknowledge([job.batch_with_records().token])
    shop.publish(b"lost")
    assert [record.message.raw for record in job.batch_with_records().records] == [b"lost"]
    # The bundle is never acknowledged: the job died. The next one gets the message when its lease has run out.
    again = Job(shop.subscription)
    batch = again.batch_with_records()
    assert [record.message.raw for record in batch.records] == [b"lost"]
    again.source.acknowledge([batch.token])


def test_a_bundle_is_bounded(shop: Shop) -> None:
    for number in range(10):
        shop.publish(b"%d" % number)
    job = Job(shop.subscription, max_poll_records=4)
    raws: list[bytes] = []
    while len(raws) < 10:
        batch = job.batch_with_records()
        assert len(batch.records) <= 4
        raws += [record.message.raw for record in batch.records]
        job.source.acknowledge([batch.token])
    assert sorted(raws) == [b"%d" % number for number in range(10)]


def test_the_watermark_trails_the_events_and_follows_the_clock_when_idle(shop: Shop) -> None:
    shop.publish(json.dumps({"timestamp": "2026-01-01T00:00:20Z"}).encode())
    job = Job(shop.subscription, out_of_orderness_seconds=10, idle_timeout_seconds=30, pull_seconds=0.1)
    job.source.acknowledge([job.batch_with_records().token])
    assert job.watermark.current_us() == 1_767_225_610 * SECOND
    start_us, current = job.now_us, 0
    for _ in range(MANY):
        job.batch()
        current = job.watermark.current_us() or 0
        if current > start_us:
            break
        job.now_us += 5 * SECOND
    assert start_us + 20 * SECOND <= current == job.now_us - 10 * SECOND


def test_a_subscription_that_does_not_exist_is_refused(shop: Shop) -> None:
    with pytest.raises(InputError, match="no subscription"):
        Job(shop.subscription + "x").source.count_readers()


class Note(beam.DoFn):
    noted: ClassVar["queue.Queue[bytes]"] = queue.Queue()

    def process(self, element: Message) -> None:
        self.noted.put(element.raw)


def test_a_job_on_prism_acknowledges_what_it_has_processed(shop: Shop, prism_binary: Path) -> None:
    arguments = ["--runner=PrismRunner", f"--prism_location={prism_binary}", "--streaming"]
    pipeline = beam.Pipeline(options=PipelineOptions(arguments))
    messages = read_messages(pipeline, [parse_input(f"pubsub:{shop.subscription}")], SourceOptions(pull_seconds=0.5))
    _ = messages | beam.ParDo(Note())
    job = pipeline.run()
    shop.publish(b"one")
    assert Note.noted.get(timeout=90) == b"one"
    # The second comes only after the first one's bundle has ended, and with it its acknowledgement.
    shop.publish(b"two")
    assert Note.noted.get(timeout=90) == b"two"
    job.cancel()
