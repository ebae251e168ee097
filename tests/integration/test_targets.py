"""Where pulled events go, against real brokers: what was sent is there, once, and what cannot be is told."""

import uuid

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, NewTopic
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from pipelines.io.targets.location import parse_target
from pipelines.io.targets.target import OutgoingEvent, TargetError
from services.service import Running

EVENTS = [OutgoingEvent(b'{"n": %d}' % number, f"u_{number % 7}", f"m{number}") for number in range(200)]


def test_kafka(kafka_broker: Running) -> None:
    brokers, topic = kafka_broker.endpoints["broker"], f"events-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(topic, 3, 1)])[topic].result(30)
    target = parse_target(f"kafka:{brokers}/{topic}")
    target.check()
    target.send(EVENTS)
    target.close()
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    found = []
    while len(found) < len(EVENTS):
        message = consumer.poll(20)
        assert message is not None
        found.append((message.value(), (message.key() or b"").decode()))
    consumer.close()
    assert sorted(found) == sorted((event.line, event.key) for event in EVENTS)
    with pytest.raises(TargetError, match="there is no topic 'missing'"):
        parse_target(f"kafka:{brokers}/missing").check()


def test_pubsub(pubsub_emulator: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_emulator.environment["PUBSUB_EMULATOR_HOST"])
    name = f"events-{uuid.uuid4().hex[:8]}"
    topic, subscription = f"projects/test-project/topics/{name}", f"projects/test-project/subscriptions/{name}"
    with PublisherClient() as publisher, SubscriberClient() as subscriber:
        publisher.create_topic(name=topic)
        subscriber.create_subscription(name=subscription, topic=topic)
        target = parse_target(f"pubsub:{topic}")
        target.check()
        target.send(EVENTS)
        target.close()
        found: list[bytes] = []
        while len(found) < len(EVENTS):
            answer = subscriber.pull(subscription=subscription, max_messages=500, timeout=20)
            found += [one.message.data for one in answer.received_messages]
            subscriber.acknowledge(subscription=subscription, ack_ids=[one.ack_id for one in answer.received_messages])
        publisher.stop()
    assert sorted(found) == sorted(event.line for event in EVENTS)
    missing = parse_target("pubsub:projects/test-project/topics/missing")
    with pytest.raises(TargetError, match="there is no topic"):
        missing.check()
    missing.close()
