"""The Kafka source against a real broker, batch by batch, without a pipeline but for the last test."""

import json
import logging
import uuid
from collections.abc import Callable, Iterator

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from pipelines.io.kafka import client as kafka_client
from pipelines.io.kafka import source as kafka
from pipelines.io.kafka.source import KafkaSource
from pipelines.io.locations import KafkaInput, parse_input
from pipelines.io.stream.read_sources import read_messages
from pipelines.io.stream.source import Batch, Progress, Reader, now_us
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark
from schemas.errors import InputError
from services.service import Running
from transforms.state.process import PROCESS

ONLY = Reader(0, 1)
SECOND = 1_000_000
MANY = 1_000  # reads after which something that should have come will not come any more


@pytest.fixture
def brokers(kafka_broker: Running) -> Iterator[str]:
    yield kafka_broker.endpoints["broker"]
    PROCESS.close()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of the broker now and then is asked with each read, so that no test waits for a clock."""
    monkeypatch.setattr(kafka, "IDLE_CHECK_SECONDS", 0)
    monkeypatch.setattr(kafka_client, "COMMITTED_CHECK_SECONDS", 0)


@pytest.fixture
def make_topic(brokers: str) -> Callable[[int], str]:
    def make(partitions: int) -> str:
        name = f"events-{uuid.uuid4().hex[:8]}"
        admin = AdminClient({"bootstrap.servers": brokers})
        admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)
        # The topic exists; the broker may tell of all its partitions a little later.
        seen = (len(admin.list_topics(name, timeout=30).topics[name].partitions) for _ in range(MANY))
        assert any(number == partitions for number in seen)
        return name

    return make


def publish(brokers: str, topic: str, partition: int, bodies: list[str], *, event_us: int | None = None) -> None:
    producer = Producer({"bootstrap.servers": brokers})
    for body in bodies:
        stamp = {} if event_us is None else {"timestamp": event_us // 1_000}
        producer.produce(topic, body.encode(), partition=partition, headers={"shop": b"north"}, **stamp)  # type: ignore[arg-type]
    assert producer.flush(30) == 0


class Job:
    """Reads as a runner would, under a clock that the test moves; a second job on the same group is a restart."""

    def __init__(self, brokers: str, topic: str, reader: Reader = ONLY, query: str = "", **options: object) -> None:
        self.now_us = now_us()
        location = parse_input(f"kafka:{brokers}/{topic}{query}")
        assert isinstance(location, KafkaInput)
        self.options = SourceOptions(**{"group": topic, "poll_seconds": 0.02, **options})  # type: ignore[arg-type]
        self.source = KafkaSource(location, self.options, clock=lambda: self.now_us)
        self.reader = reader
        self.progress = self.source.start(reader)
        self.watermark = StreamWatermark(self.options.watermark_policy)

    def batch(self) -> Batch:
        batch = self.source.read(self.reader, self.progress, self.watermark)
        self.progress = Progress(batch.positions, self.progress.stops)
        return batch

    def read(self, count: int) -> list[str]:
        """At least `count` records, acknowledged."""
        bodies: list[str] = []
        for _ in range(MANY):
            if len(bodies) >= count:
                return bodies
            batch = self.batch()
            bodies += [record.message.raw.decode() for record in batch.records]
            if batch.token:
                self.source.acknowledge([batch.token])
        raise AssertionError(f"only {bodies} came")

    def read_until_watermark(self) -> int:
        """Reads, a second after the other on its clock, until the watermark is known."""
        for _ in range(MANY):
            self.batch()
            current = self.watermark.current_us()
            if current is not None:
                return current
            self.now_us += SECOND
        raise AssertionError("the watermark stands")


def test_all_partitions_are_read_with_headers_and_source(brokers: str, make_topic: Callable[[int], str]) -> None:
    topic = make_topic(3)
    for partition in range(3):
        publish(brokers, topic, partition, [f"{partition}-{number}" for number in range(4)])
    job = Job(brokers, topic, max_poll_records=5)
    records = []
    while len(records) < 12:
        batch = job.batch()
        assert len(batch.records) <= 5, "a bundle is bounded"
        records += batch.records
    assert sorted(r.message.raw.decode() for r in records) == [f"{p}-{n}" for p in range(3) for n in range(4)]
    assert {r.message.source for r in records} == {f"kafka:{brokers}/{topic}"}
    assert records[0].message.attributes == {"shop": "north"}
    assert job.progress.positions == {"0": 4, "1": 4, "2": 4}


def test_readers_share_the_partitions(brokers: str, make_topic: Callable[[int], str]) -> None:
    topic = make_topic(3)
    source = Job(brokers, topic, kafka_readers=0).source
    assert source.count_readers() == 3
    shares = [Job(brokers, topic, Reader(number, 2)).progress.positions for number in range(2)]
    assert [sorted(share) for share in shares] == [["0", "2"], ["1"]]


def test_a_restart_goes_on_after_what_was_acknowledged(brokers: str, make_topic: Callable[[int], str]) -> None:
    topic = make_topic(2)
    publish(brokers, topic, 0, ["a", "b", "c"])
    job = Job(brokers, topic, max_poll_records=1)
    assert job.read(2) == ["a", "b"]
    lost = next(batch for _ in range(MANY) if (batch := job.batch()).records)
    assert [record.message.raw for record in lost.records] == [b"c"], "read, but never acknowledged"
    PROCESS.close()
    publish(brokers, topic, 1, ["d"])
    assert sorted(Job(brokers, topic).read(2)) == ["c", "d"]


def test_from_first_reads_everything_again(brokers: str, make_topic: Callable[[int], str]) -> None:
    topic = make_topic(1)
    publish(brokers, topic, 0, ["a", "b"])
    assert Job(brokers, topic).read(2) == ["a", "b"]
    PROCESS.close()
    assert Job(brokers, topic, query="?from=first&until=now").read(2) == ["a", "b"]


def test_acknowledging_out_of_order_never_goes_back(brokers: str, make_topic: Callable[[int], str]) -> None:
    topic = make_topic(1)
    publish(brokers, topic, 0, ["a", "b", "c"])
    job = Job(brokers, topic)
    job.source.acknowledge([json.dumps({"0": 2}).encode()])
    job.source.acknowledge([json.dumps({"0": 1}).encode()])
    PROCESS.close()
    assert Job(brokers, topic).read(1) == ["c"]


def test_a_bundle_that_is_tried_again_reads_the_same(brokers: str, make_topic: Callable[[int], str]) -> None:
    topic = make_topic(1)
    publish(brokers, topic, 0, ["a", "b"])
    job = Job(brokers, topic)
    start = job.progress
    once = job.read(2)
    job.progress = start
    assert job.read(2) == once == ["a", "b"]


def test_an_empty_partition_does_not_stall_the_watermark(brokers: str, make_topic: Callable[[int], str]) -> None:
    topic = make_topic(2)
    job = Job(brokers, topic, out_of_orderness_seconds=10, idle_timeout_seconds=30)
    publish(brokers, topic, 0, ['{"timestamp": "2026-01-01T00:00:20Z"}'])
    job.read(1)
    start_us = job.now_us
    current = job.read_until_watermark()
    assert start_us + 20 * SECOND <= current <= job.now_us - 10 * SECOND
    publish(brokers, topic, 0, ['{"timestamp": "2026-01-01T00:00:25Z"}'])
    job.read(1)
    assert (job.watermark.current_us() or 0) >= current, "a late event does not take it back"


def test_event_time_counts_but_not_from_a_clock_ahead(brokers: str, make_topic: Callable[[int], str]) -> None:
    topic = make_topic(1)
    published_us = 1_780_000_000 * SECOND
    job = Job(brokers, topic, out_of_orderness_seconds=10)
    publish(brokers, topic, 0, ['{"timestamp": "2026-05-01T00:00:00Z"}'], event_us=published_us)
    job.read(1)
    assert job.watermark.current_us() == 1_777_593_590 * SECOND
    publish(brokers, topic, 0, ['{"timestamp": "2099-05-01T00:00:00Z"}', "no event"], event_us=published_us)
    job.read(2)
    assert job.watermark.current_us() == published_us - 10 * SECOND


def test_a_partition_that_is_added_is_read(brokers: str, make_topic: Callable[[int], str]) -> None:
    topic = make_topic(1)
    job = Job(brokers, topic, refresh_seconds=0)
    publish(brokers, topic, 0, ["a"])
    assert job.read(1) == ["a"]
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_partitions([NewPartitions(topic, 2)])[topic].result(30)
    publish(brokers, topic, 1, ["b"])
    assert job.read(1) == ["b"]
    assert job.progress.positions == {"0": 1, "1": 1}


def test_transaction_markers_are_no_records(brokers: str, make_topic: Callable[[int], str]) -> None:
    topic = make_topic(1)
    producer = Producer({"bootstrap.servers": brokers, "transactional.id": topic})
    producer.init_transactions(30)
    for body, outcome in (("a", producer.commit_transaction), ("b", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce(topic, body.encode())
        producer.flush(30)
        outcome(30)
    job = Job(brokers, topic, query="?until=now")
    bodies = []
    for _ in range(MANY):
        bodies += [record.message.raw for record in job.batch().records]
        if job.progress.finished():
            break
    assert bodies == [b"a"]
    assert job.progress.finished()
    idle = Job(brokers, topic, idle_timeout_seconds=30, out_of_orderness_seconds=0)
    idle.read(1)
    read_at_us = idle.watermark.current_us() or 0
    for _ in range(MANY):
        idle.now_us += SECOND
        idle.batch()
        if (idle.watermark.current_us() or 0) > read_at_us:
            break
    assert (idle.watermark.current_us() or 0) > read_at_us, "nothing but markers is left: it is idle"


def test_offsets_that_retention_has_deleted_are_passed_over_with_a_warning(
    brokers: str, make_topic: Callable[[int], str], caplog: pytest.LogCaptureFixture
) -> None:
    topic = make_topic(1)
    publish(brokers, topic, 0, ["a", "b", "c"])
    Job(brokers, topic).source.acknowledge([json.dumps({"0": 1}).encode()])
    admin = AdminClient({"bootstrap.servers": brokers})
    for deleted in admin.delete_records([TopicPartition(topic, 0, 2)]).values():
        deleted.result(30)
    PROCESS.close()
    with caplog.at_level(logging.WARNING):
        assert Job(brokers, topic).read(1) == ["c"]
    assert "committed offset 1 is not between 2 and 3" in caplog.text


def test_it_pauses_while_too_much_waits_to_be_written(brokers: str, make_topic: Callable[[int], str]) -> None:
    topic = make_topic(1)
    job = Job(brokers, topic, acknowledge="written", max_in_flight=10, max_poll_records=5, out_of_orderness_seconds=1)
    # Each event is a minute after the one before, so that the watermark passes all but the last one that was read.
    bodies = [json.dumps({"timestamp": f"2026-01-01T00:{minute:02}:00Z"}) for minute in range(40)]
    publish(brokers, topic, 0, bodies)
    tokens, read = [], 0
    for _ in range(MANY):
        batch = job.batch()
        if batch.wait_seconds:
            break
        read += len(batch.records)
        tokens += [batch.token] if batch.token else []
    assert 10 < read <= 20, "it stops a batch or two after the limit"
    assert job.batch().records == [], "and stays stopped"
    job.source.acknowledge([tokens[-1]])
    assert len(job.read(40 - read)) == 40 - read


def test_a_topic_that_does_not_exist_is_refused(brokers: str, make_topic: Callable[[int], str]) -> None:
    topic = make_topic(1)
    location = parse_input(f"kafka:{brokers}/{topic}s")
    assert isinstance(location, KafkaInput)
    with pytest.raises(InputError, match=f"Did you mean '{topic}'"):
        KafkaSource(location, SourceOptions()).count_readers()


def test_brokers_that_do_not_answer_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "REQUEST_SECONDS", 0.5)
    location = parse_input("kafka:127.0.0.1:1/events")
    assert isinstance(location, KafkaInput)
    settings = SourceOptions(kafka_settings={"log_level": "0"})
    with pytest.raises(InputError, match=r"127\.0\.0\.1:1 does not answer"):
        KafkaSource(location, settings).count_readers()


def test_until_now_drains_in_a_pipeline_and_a_second_run_reads_what_is_new(
    brokers: str, make_topic: Callable[[int], str]
) -> None:
    topic = make_topic(3)
    for partition in range(3):
        publish(brokers, topic, partition, [f"{partition}-{number}" for number in range(700)])
    location = parse_input(f"kafka:{brokers}/{topic}?until=now&group={topic}")

    def run(expected: list[bytes]) -> None:
        with beam.Pipeline(FnApiRunner(), PipelineOptions(["--streaming"])) as pipeline:
            messages = read_messages(pipeline, [location], SourceOptions(max_poll_records=200))
            assert_that(messages | beam.Map(lambda message: message.raw), equal_to(expected))

    run([b"%d-%d" % (p, n) for p in range(3) for n in range(700)])
    publish(brokers, topic, 1, ["new"])
    run([b"new"])
