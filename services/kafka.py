"""Kafka: one broker that is its own controller (KRaft)."""

from __future__ import annotations

from pathlib import Path

from services.building import find_tool, maven_jars
from services.service import Ports, Service

CLUSTER = "dGlkZW1hcmstdGVzdHMtMQ"  # any 16 bytes in base64
HEAP = "-Xmx512m"


def _settings(data: Path, ports: Ports) -> dict[str, str]:
    broker, controller = f"127.0.0.1:{ports['broker']}", f"127.0.0.1:{ports['controller']}"
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{broker}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(data / "logs"),
        "num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "auto.create.topics.enable": "false",
    }


def _prepare(_jars: Path, data: Path, ports: Ports) -> None:
    logs = data / "logs"
    logs.mkdir(parents=True)
    # What `kafka-storage format` writes: the identity of the cluster and of this log folder.
    identity = f"version=1\nnode.id=1\ndirectory.id={CLUSTER}\ncluster.id={CLUSTER}\n"
    (logs / "meta.properties").write_text(identity)
    settings = _settings(data, ports)
    (data / "server.properties").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))


def _command(jars: Path, data: Path, _ports: Ports) -> list[str]:
    return [find_tool("java"), HEAP, "-cp", f"{jars}/*", "kafka.Kafka", str(data / "server.properties")]


def _environment(ports: Ports) -> dict[str, str]:
    return {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{ports['broker']}"}


def _ready(ports: Ports) -> None:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    client = AdminClient({"bootstrap.servers": f"127.0.0.1:{ports['broker']}", "log_level": 0})
    try:
        client.list_topics(timeout=2)
    except KafkaException as error:
        raise ConnectionError(str(error)) from error


KAFKA = Service(
    name="kafka",
    summary="Kafka 3.9.1 (one broker, KRaft)",
    artifact=maven_jars("kafka", "kafka/lib"),
    ports=("broker", "controller"),
    command=_command,
    environment=_environment,
    prepare=_prepare,
    ready=_ready,
)
