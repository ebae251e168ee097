"""RabbitMQ: Debian's broker, one node in a folder of its own."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from services.building import debian_program
from services.service import Ports, Service

_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The one in /usr/sbin changes its user first, and its folders with it."""


def _prepare(_binary: Path, data: Path, ports: Ports) -> None:
    (data / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{ports['amqp']}\n"
        "loopback_users.guest = true\n"
        "disk_free_limit.absolute = 50MB\n"
        "log.console = true\nlog.console.level = warning\nlog.file = false\n"
    )


def _command(_binary: Path, data: Path, ports: Ports) -> list[str]:
    name = f"tidemark-{os.getpid()}-{ports['amqp']}@localhost"
    loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
    settings = {
        "HOME": str(data),  # of Erlang's cookie
        "ERL_CRASH_DUMP": str(data / "erl_crash.dump"),
        "RABBITMQ_NODENAME": name,
        "RABBITMQ_DIST_PORT": str(ports["distribution"]),
        "RABBITMQ_CONFIG_FILE": str(data / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(data / "none"),
        "RABBITMQ_MNESIA_BASE": str(data / "mnesia"),
        "RABBITMQ_LOG_BASE": str(data / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(data / "plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback,
    }
    node = ["env", *(f"{key}={value}" for key, value in settings.items()), str(_SERVER)]
    return [sys.executable, "-m", "services.with_name_server", str(ports["names"]), *node]


def _environment(ports: Ports) -> dict[str, str]:
    return {"TIDEMARK_RABBITMQ": f"amqp://guest:guest@127.0.0.1:{ports['amqp']}/"}


def _ready(ports: Ports) -> None:
    with socket.create_connection(("127.0.0.1", ports["amqp"]), timeout=2) as asked:
        asked.sendall(b"AMQP\x00\x00\x09\x01")
        if not asked.recv(64):
            raise ConnectionError("it starts")


RABBITMQ = Service(
    name="rabbitmq",
    summary="RabbitMQ (Debian's package)",
    artifact=debian_program("rabbitmq-server", "bin/rabbitmq-server"),
    ports=("amqp", "distribution", "names"),
    command=_command,
    environment=_environment,
    prepare=_prepare,
    ready=_ready,
)
