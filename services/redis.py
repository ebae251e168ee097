"""Redis: Debian's server, without persistence: what it loses is filled again from the tables."""

from __future__ import annotations

import socket
from pathlib import Path

from services.building import debian_program
from services.service import Ports, Service


def _command(binary: Path, data: Path, ports: Ports) -> list[str]:
    memory_only = ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
    return [str(binary), "--bind", "127.0.0.1", "--port", str(ports["redis"]), "--dir", str(data), *memory_only]


def _environment(ports: Ports) -> dict[str, str]:
    return {"TIDEMARK_REDIS": f"redis://127.0.0.1:{ports['redis']}/0"}


def _ready(ports: Ports) -> None:
    with socket.create_connection(("127.0.0.1", ports["redis"]), timeout=2) as asked:
        asked.sendall(b"PING\r\n")
        if not asked.recv(64).startswith(b"+PONG"):
            raise ConnectionError("it loads")


REDIS = Service(
    name="redis",
    summary="Redis (Debian's package)",
    artifact=debian_program("redis-server", "bin/redis-server"),
    ports=("redis",),
    command=_command,
    environment=_environment,
    ready=_ready,
)
