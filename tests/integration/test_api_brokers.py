"""Events into real brokers: an answer of success means that the broker has them, and a broker that is away is 503."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import boto3
import httpx
import pika
import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, NewTopic
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from moto.server import ThreadedMotoServer

from services.manager import Manager
from services.service import Running
from tests.api.served import COLLECT, basic, listening, options
from tests.integration.own_broker import OwnBroker

EVENTS = [{"type": "track", "event": "Order Completed", "userId": "ü", "messageId": f"m{n}"} for n in range(30)]
NAMES = sorted(str(event["messageId"]) for event in EVENTS)


def send(location: str, folder: Path) -> None:
    """One batch and single events, each answered with success."""
    with listening(options(folder, events=location)) as port:
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, auth=basic(COLLECT), timeout=60, trust_env=False) as client:
            assert client.post("/v1/batch", json={"batch": EVENTS[:28]}).status_code == 200
            for event in EVENTS[28:]:
                assert client.post("/v1/track", json=event).status_code == 200
            assert client.get("/readyz").status_code == 200


def send_again(client: httpx.Client, event: dict[str, str]) -> None:
    """As clients do, until it is taken."""
    for _ in range(60):
        answer = client.post("/v1/track", json=event)
        if answer.status_code == 200:
            return
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    pytest.fail("it never came back")


def names(found: list[bytes]) -> list[str]:
    return sorted(json.loads(one)["messageId"] for one in found)


def read_topic(broker: str, topic: str, count: int) -> list[bytes]:
    settings = {"bootstrap.servers": broker, "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    found: list[bytes] = []
    try:
        while len(found) < count:
            message = consumer.poll(30)
            assert message is not None, f"{len(found)} of {count} came"
            found.append(bytes(message.value() or b""))
    finally:
        consumer.close()
    return found


def made_topic(broker: str) -> str:
    topic = f"collect-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(topic, 2)])[topic].result(30)
    return topic


def test_kafka_has_what_was_answered_for(kafka_broker: Running, tmp_path: Path) -> None:
    broker = kafka_broker.endpoints["broker"]
    topic = made_topic(broker)
    send(f"kafka:{broker}/{topic}", tmp_path)
    assert names(read_topic(broker, topic, len(EVENTS))) == NAMES


def test_pubsub_has_what_was_answered_for(
    pubsub_emulator: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in pubsub_emulator.environment.items():
        monkeypatch.setenv(name, value)
    with Subscription() as made:
        send(f"pubsub:{made.topic}", tmp_path)
        assert names(made.read(len(EVENTS))) == NAMES


class Subscription:
    """A topic, and one subscription to it."""

    def __init__(self) -> None:
        name = uuid.uuid4().hex[:8]
        self.topic, self._path = f"projects/test/topics/t{name}", f"projects/test/subscriptions/s{name}"
        self._publisher, self._subscriber = PublisherClient(), SubscriberClient()

    def __enter__(self) -> Self:
        self.make()
        return self

    def __exit__(self, *_error: object) -> None:
        self._subscriber.close()
        self._publisher.stop()
        self._publisher.transport.close()

    def make(self) -> None:
        self._publisher.create_topic(name=self.topic)
        self._subscriber.create_subscription(name=self._path, topic=self.topic)

    def read(self, count: int) -> list[bytes]:
        """So many messages, at least; they are acknowledged."""
        found: list[bytes] = []
        while len(found) < count:
            answer = self._subscriber.pull(subscription=self._path, max_messages=100, timeout=30)
            found += [one.message.data for one in answer.received_messages]
            acknowledged = [one.ack_id for one in answer.received_messages]
            self._subscriber.acknowledge(subscription=self._path, ack_ids=acknowledged)
        return found


def read_queue(url: str, queue: str) -> list[bytes]:
    connection = pika.BlockingConnection(pika.URLParameters(url.removesuffix("/") + "/%2F"))
    channel = connection.channel()
    found: list[bytes] = []
    while True:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            break
        found.append(body or b"")
    channel.queue_delete(queue)
    connection.close()
    return found


def test_rabbitmq_has_what_was_answered_for(rabbitmq_broker: Running, tmp_path: Path) -> None:
    url, queue = rabbitmq_broker.environment["TIDEMARK_RABBITMQ"], f"collect-{uuid.uuid4().hex[:8]}"
    send(f"{url}?queue={queue}", tmp_path)
    assert names(read_queue(url, queue)) == NAMES


@pytest.fixture
def kinesis(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_kinesis_has_what_was_answered_for(kinesis: str, tmp_path: Path) -> None:
    client = boto3.client("kinesis", region_name="eu-central-1", endpoint_url=kinesis)
    client.create_stream(StreamName="events", ShardCount=2)
    send(f"kinesis:eu-central-1/events?endpoint={kinesis}", tmp_path)
    found: list[bytes] = []
    for shard in client.list_shards(StreamName="events")["Shards"]:
        place = {"StreamName": "events", "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = client.get_shard_iterator(**place)["ShardIterator"]
        found += [record["Data"] for record in client.get_records(ShardIterator=iterator)["Records"]]
    client.close()
    assert names(found) == NAMES


def kafka_place(broker: Running) -> tuple[str, Callable[[int], list[bytes]]]:
    address = broker.endpoints["broker"]
    topic = made_topic(address)
    return f"kafka:{address}/{topic}", lambda count: read_topic(address, topic, count)


def rabbitmq_place(broker: Running) -> tuple[str, Callable[[int], list[bytes]]]:
    url = broker.environment["TIDEMARK_RABBITMQ"]
    return f"{url}?queue=collect", lambda _count: read_queue(url, "collect")


@pytest.mark.parametrize(("name", "place"), [("kafka", kafka_place), ("rabbitmq", rabbitmq_place)])
def test_a_broker_that_does_not_answer_is_503_until_it_does(
    tmp_path: Path, name: str, place: Callable[[Running], tuple[str, Callable[[int], list[bytes]]]]
) -> None:
    manager = Manager(state=tmp_path / "services")
    broker = manager.up(name)
    group = os.getpgid(broker.pid)
    try:
        location, read = place(broker)
        with listening(options(tmp_path / "spool", events=location)) as port:
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url, auth=basic(COLLECT), timeout=60, trust_env=False) as client:
                assert client.post("/v1/track", json=EVENTS[0]).status_code == 200
                os.killpg(group, signal.SIGSTOP)
                away = client.post("/v1/track", json=EVENTS[1])
                assert (away.status_code, away.json()["code"]) == (503, "unavailable")
                assert int(away.headers["Retry-After"]) > 0
                os.killpg(group, signal.SIGCONT)
                send_again(client, EVENTS[1])
        found = read(2)
        assert set(names(found)) == {"m0", "m1"}, "what was answered with 503 may be there, too: it counts once"
    finally:
        os.killpg(group, signal.SIGCONT)
        manager.down(name)


def test_pubsub_that_was_stopped_and_forgot_everything_takes_events_once_there_is_a_topic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator keeps nothing: what nobody has read is gone with it, and so are topics and subscriptions."""
    emulator = OwnBroker("pubsub", tmp_path / "services")
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulator.address)
    try:
        with Subscription() as made, listening(options(tmp_path / "spool", events=f"pubsub:{made.topic}")) as port:
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url, auth=basic(COLLECT), timeout=60, trust_env=False) as client:
                send_again(client, EVENTS[0])
                assert names(made.read(1)) == ["m0"]
                emulator.stop()
                away = client.post("/v1/track", json=EVENTS[1])
                assert (away.status_code, away.json()["code"]) == (503, "unavailable")
                emulator.start()
                forgotten = client.post("/v1/track", json=EVENTS[1])
                assert forgotten.status_code == 503
                made.make()
                send_again(client, EVENTS[1])
                assert set(names(made.read(1))) == {"m1"}
    finally:
        emulator.stop()
