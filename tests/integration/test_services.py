"""The services of `make services` answer, are the ones that were started, and stop."""

import os
import socket
import subprocess
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, pubsub_v1

from services.manager import Manager
from services.processes import find_process, owns_ports
from services.pubsub import count_unacknowledged
from services.service import Running, ServiceError


def test_bigquery_answers_a_query(bigquery_emulator: Running) -> None:
    options = ClientOptions(api_endpoint=f"http://{bigquery_emulator.endpoints['http']}")
    with bigquery.Client("test", credentials=AnonymousCredentials(), client_options=options) as client:
        rows = list(client.query_and_wait("SELECT 1 + 1 AS two", retry=None))
    assert [row.two for row in rows] == [2]


def test_pubsub_delivers_a_message(pubsub_emulator: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_emulator.environment["PUBSUB_EMULATOR_HOST"])
    topic, subscription = "projects/test-project/topics/hello", "projects/test-project/subscriptions/hello"
    with pubsub_v1.PublisherClient() as publisher, pubsub_v1.SubscriberClient() as subscriber:
        publisher.create_topic(name=topic)
        subscriber.create_subscription(name=subscription, topic=topic)
        publisher.publish(topic, b"hello").result(timeout=10)
        [received] = subscriber.pull(subscription=subscription, max_messages=1, timeout=10).received_messages
        waiting = [count_unacknowledged(pubsub_emulator, topic)]
        subscriber.acknowledge(subscription=subscription, ack_ids=[received.ack_id], timeout=10)
        publisher.stop()
    assert received.message.data == b"hello"
    assert [*waiting, count_unacknowledged(pubsub_emulator, topic)] == [1, 0]


def test_kafka_keeps_a_message(kafka_broker: Running) -> None:
    address = {"bootstrap.servers": kafka_broker.endpoints["broker"]}
    admin = AdminClient(address)
    for future in admin.create_topics([NewTopic("hello", 1, 1)]).values():
        future.result(timeout=10)
    producer = Producer(address)
    producer.produce("hello", b"hello")
    assert producer.flush(10) == 0
    consumer = Consumer({**address, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.subscribe(["hello"])
    message = consumer.poll(20)
    consumer.close()
    assert message is not None
    assert message.value() == b"hello"


def _double(options: list[str]) -> None:
    with beam.Pipeline(options=PipelineOptions(options)) as pipeline:
        doubled = pipeline | "Create" >> beam.Create([1, 2, 3]) | "Double" >> beam.Map(lambda number: 2 * number)
        assert_that(doubled, equal_to([2, 4, 6]))


def test_prism_runs_a_pipeline(prism_binary: Path) -> None:
    _double(["--runner=PrismRunner", f"--prism_location={prism_binary}", "--environment_type=LOOPBACK"])


def test_flink_runs_a_pipeline(flink_job_server: Running) -> None:
    endpoint = flink_job_server.endpoints["jobs"]
    _double(["--runner=PortableRunner", f"--job_endpoint={endpoint}", "--environment_type=LOOPBACK", "--parallelism=1"])


def test_what_listens_on_every_interface_is_refused_outside_an_isolated_network() -> None:
    with pytest.raises(ServiceError, match="isolated network"):
        Manager().up("flink")


def test_a_service_stops_and_frees_its_port(tmp_path: Path) -> None:
    manager = Manager(state=tmp_path)
    running = manager.up("pubsub")
    assert owns_ports(running.pid, [int(running.endpoints["grpc"].split(":")[1])])
    assert manager.up("pubsub") == running, "it is up already"
    assert manager.down("pubsub")
    assert find_process(running) is None
    assert manager.find("pubsub") is None
    assert not manager.down("pubsub")


def test_a_port_that_is_taken_fails_and_says_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ServiceError, match=r"pubsub\.grpc: port \d+ is taken"):
            Manager(state=tmp_path).up("pubsub", {"grpc": taken.getsockname()[1]})


def test_another_process_on_the_port_is_not_taken_for_the_service() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with subprocess.Popen(["sleep", "60"]) as stranger:  # noqa: S607 - it only has to live
            assert owns_ports(os.getpid(), [port])
            assert not owns_ports(stranger.pid, [port])
            stranger.kill()
