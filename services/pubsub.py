"""Pub/Sub: the in-memory server of Google's own Go client, behind a main of ours that counts what waits."""

from __future__ import annotations

import socket
import urllib.parse
import urllib.request
from pathlib import Path

from services.building import go_module
from services.service import Ports, Running, Service


def _command(binary: Path, _data: Path, ports: Ports) -> list[str]:
    return [str(binary), f"-address=127.0.0.1:{ports['grpc']}", f"-counts=127.0.0.1:{ports['counts']}"]


def _environment(ports: Ports) -> dict[str, str]:
    return {"PUBSUB_EMULATOR_HOST": f"127.0.0.1:{ports['grpc']}"}


def _ready(ports: Ports) -> None:
    socket.create_connection(("127.0.0.1", ports["grpc"]), timeout=2).close()


PUBSUB = Service(
    name="pubsub",
    summary="Pub/Sub (pstest)",
    artifact=go_module("pubsub", ".", "bin/pubsub-emulator"),
    ports=("grpc", "counts"),
    command=_command,
    environment=_environment,
    ready=_ready,
)


def count_unacknowledged(pubsub: Running, topic: str) -> int:
    """How many messages of a topic (`projects/P/topics/T`) nobody has acknowledged yet."""
    asked = urllib.parse.urlencode({"topic": topic})
    address = f"http://{pubsub.endpoints['counts']}/unacknowledged?{asked}"
    with urllib.request.urlopen(address, timeout=10) as answer:
        return int(answer.read())
