"""RabbitMQ as a source and as a target, against the real broker; and in a whole job on Prism."""

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pika
import pytest

from examples.shop_live.events import LiveShop, write_whole
from pipelines.io.locations import parse_input
from pipelines.io.rabbitmq.address import RabbitMQInput, connect, parse_address
from pipelines.io.rabbitmq.publisher import ConfirmingPublisher
from pipelines.io.rabbitmq.source import RabbitMQSource
from pipelines.io.stream.source import Batch, Progress, Reader, now_us
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark
from pipelines.io.targets.location import parse_target
from pipelines.io.targets.rabbitmq import RabbitMQTarget
from pipelines.io.targets.target import OutgoingEvent, TargetError
from schemas.errors import InputError
from services.service import Running
from tests.integration.stream_jobs import StreamJob, ask, run_batch, tables, write_segments
from transforms.state.process import PROCESS

ONLY = Reader(0, 1)
MANY = 60


class Queue(NamedTuple):
    """A queue of its own, empty."""

    url: str
    name: str
    channel: pika.adapters.blocking_connection.BlockingChannel

    def publish(self, body: bytes, **headers: str) -> None:
        self.channel.basic_publish("", self.name, body, pika.BasicProperties(headers=headers, delivery_mode=2))

    def waiting(self) -> int:
        """Messages that nobody has."""
        return int(self.channel.queue_declare(self.name, passive=True).method.message_count)


@pytest.fixture
def queue(rabbitmq_broker: Running) -> Iterator[Queue]:
    name = f"events-{uuid.uuid4().hex[:8]}"
    url = f"{rabbitmq_broker.environment['TIDEMARK_RABBITMQ']}?queue={name}"
    connection = connect(parse_address(url))
    channel = connection.channel()
    channel.queue_declare(name, durable=True)
    yield Queue(url, name, channel)
    PROCESS.close()
    channel.queue_delete(name)
    connection.close()


class Job:
    """Reads as a runner would."""

    def __init__(self, url: str, **options: object) -> None:
        location = parse_input(url)
        assert isinstance(location, RabbitMQInput)
        self.source = RabbitMQSource(location, SourceOptions(**{"pull_seconds": 1.0, **options}))  # type: ignore[arg-type]
        self.progress = self.source.start(ONLY)
        self.watermark = StreamWatermark(self.source.options.watermark_policy)

    def batch(self) -> Batch:
        batch = self.source.read(ONLY, self.progress, self.watermark)
        self.progress = Progress(batch.positions)
        return batch

    def records(self, count: int) -> tuple[list[bytes], list[bytes]]:
        """So many messages, and the tokens of their batches."""
        raws, tokens = [], []
        for _ in range(MANY):
            batch = self.batch()
            raws += [record.message.raw for record in batch.records]
            tokens += [batch.token] if batch.token else []
            if len(raws) >= count:
                return raws, tokens
        raise AssertionError(f"only {len(raws)} came")


def test_messages_come_with_their_headers_and_without_a_password(queue: Queue) -> None:
    queue.publish(b"hello", shop="north")
    job = Job(queue.url)
    [record] = next(batch for _ in range(MANY) if (batch := job.batch()).records).records
    assert record.message.raw == b"hello"
    assert record.message.attributes == {"shop": "north"}
    assert "guest" not in record.message.source


def test_what_is_acknowledged_does_not_come_again_and_what_is_not_does(queue: Queue) -> None:
    for number in range(3):
        queue.publish(b"%d" % number)
    job = Job(queue.url, max_poll_records=1)
    _, tokens = job.records(1)
    job.source.acknowledge(tokens)
    assert job.records(2)[0] == [b"1", b"2"]
    PROCESS.close()  # as when the job dies
    again = Job(queue.url)
    raws, tokens = again.records(2)
    assert sorted(raws) == [b"1", b"2"]
    again.source.acknowledge(tokens)
    PROCESS.close()
    assert queue.waiting() == 0


def test_no_more_is_prefetched_than_two_bundles(queue: Queue) -> None:
    for number in range(20):
        queue.publish(b"%d" % number)
    job = Job(queue.url, max_poll_records=4)
    raws, tokens = job.records(8)
    assert len(raws) == 8
    assert queue.waiting() == 12
    assert job.batch().records == []
    job.source.acknowledge(tokens)
    assert len(job.records(8)[0]) == 8


def test_an_empty_queue_is_idle_and_one_that_is_only_not_read_is_not(queue: Queue) -> None:
    job = Job(queue.url, max_poll_records=1, idle_timeout_seconds=0.0, out_of_orderness_seconds=0.0)
    before = now_us()
    while (job.batch(), at := job.watermark.current_us())[1] is None:
        assert now_us() - before < 30_000_000
    assert at is not None
    assert at >= before
    busy = Job(queue.url, max_poll_records=1, idle_timeout_seconds=0.0, out_of_orderness_seconds=0.0)
    for _ in range(5):
        queue.publish(b"{}")
    raws, _ = busy.records(2)
    assert len(raws) == 2
    busy.batch()
    assert busy.watermark.current_us() is None or busy.batch().records == []


def test_a_lost_connection_is_made_again(queue: Queue) -> None:
    from pipelines.io.rabbitmq import source as source_module

    queue.publish(b"before")
    job = Job(queue.url)
    assert job.records(1)[0] == [b"before"]
    consumer = source_module._consumer(job.source)
    assert consumer._connection is not None
    consumer._connection.add_callback_threadsafe(consumer._connection.close)
    queue.publish(b"after")
    raws, tokens = job.records(2)
    assert sorted(raws) == [b"after", b"before"], "what was not acknowledged came again"
    job.source.acknowledge(tokens)


@pytest.mark.parametrize(
    ("url", "told"),
    [("?queue=missing-{}", "there is no queue"), ("", "refuses the user or the password")],
)
def test_what_cannot_be_read_is_refused_before_the_start(rabbitmq_broker: Running, url: str, told: str) -> None:
    base = rabbitmq_broker.environment["TIDEMARK_RABBITMQ"]
    wrong = base + url.format(uuid.uuid4().hex) if url else base.replace("guest:guest", "guest:hush")
    with pytest.raises(InputError) as refused:
        Job(wrong).source.count_readers()
    assert told in str(refused.value)
    assert "hush" not in str(refused.value)


def test_a_broker_that_does_not_answer_is_refused() -> None:
    with pytest.raises(InputError, match="does not answer"):
        Job("amqp://127.0.0.1:1/").source.count_readers()


def test_the_target_makes_its_queue_and_its_events_are_confirmed(rabbitmq_broker: Running) -> None:
    name = f"made-{uuid.uuid4().hex[:8]}"
    target = parse_target(f"{rabbitmq_broker.environment['TIDEMARK_RABBITMQ']}?queue={name}")
    target.check()
    target.send([OutgoingEvent(b"{}", "u_1", f"m{number}") for number in range(10)])
    target.check()
    connection = connect(parse_address(rabbitmq_broker.environment["TIDEMARK_RABBITMQ"]))
    channel = connection.channel()
    assert channel.queue_declare(name, passive=True).method.message_count == 10
    channel.queue_delete(name)
    with pytest.raises(TargetError, match="no such queue any more"):
        target.send([OutgoingEvent(b"{}", "u_1", "m11")])
    target.close()
    connection.close()


def test_confirmations_of_a_group_are_waited_for_together(rabbitmq_broker: Running) -> None:
    """2,000 messages one by one took the broker some 2,000 answers; now they are fewer than messages."""
    name = f"group-{uuid.uuid4().hex[:8]}"
    target = parse_target(f"{rabbitmq_broker.environment['TIDEMARK_RABBITMQ']}?queue={name}")
    assert isinstance(target, RabbitMQTarget)
    target.check()
    answers: list[int] = []
    confirmed = ConfirmingPublisher._confirmed

    def count(self: ConfirmingPublisher, frame: Any) -> None:
        answers.append(frame.method.delivery_tag)
        confirmed(self, frame)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ConfirmingPublisher, "_confirmed", count)
        for group in range(2):
            target.send([OutgoingEvent(b"{}", "u_1", f"m{group}-{number}") for number in range(1_000)])
    connection = connect(parse_address(rabbitmq_broker.environment["TIDEMARK_RABBITMQ"]))
    channel = connection.channel()
    assert channel.queue_declare(name, passive=True).method.message_count == 2_000
    assert len(answers) < 1_000
    channel.queue_delete(name)
    connection.close()
    target.close()


def test_a_target_whose_broker_is_not_there_says_so_and_leaves_nothing_open() -> None:
    target = parse_target("amqp://127.0.0.1:1/?queue=q")
    for _ in range(2):
        with pytest.raises(TargetError, match="does not answer"):
            target.send([OutgoingEvent(b"{}", "u_1", "m")])
    target.close()


def test_a_job_killed_while_it_reads_a_queue_ends_as_the_batch_job(
    queue: Queue, prism_binary: Path, tmp_path: Path
) -> None:
    now_ms = time.time_ns() // 1_000_000
    shop = [*LiveShop(5, 10, now_ms - 60_000).until(now_ms), b"no JSON, but it must not come for ever"]
    segments, output, batch = write_segments(tmp_path / "segments"), tmp_path / "live.duckdb", tmp_path / "batch.duckdb"
    write_whole(tmp_path / "all.ndjson", shop)
    run_batch([str(tmp_path / "all.ndjson")], segments, batch)
    expected = tables(batch)
    for message in shop[: len(shop) // 2]:
        queue.publish(message)
    with StreamJob([queue.url], segments, output, prism_binary) as job:
        job.wait_until(lambda: bool(ask(output, "SELECT 1 FROM events LIMIT 1")))
        job.kill()
    for message in shop[len(shop) // 2 :]:
        queue.publish(message)
    with StreamJob([queue.url], segments, output, prism_binary) as job:
        job.wait_until(lambda: tables(output)["events"] == expected["events"])
        job.wait_until(lambda: tables(output) == expected)
        assert job.stop() == 0
        assert "guest:guest" not in job.log()
    assert queue.waiting() == 0
    sources = json.dumps(ask(output, "SELECT DISTINCT source FROM failed_events"))
    assert "amqp://" in sources
    assert "guest" not in sources
