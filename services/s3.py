"""S3: moto's server, in memory."""

from __future__ import annotations

import sys
from pathlib import Path

from services.building import python_module
from services.processes import ask_http
from services.service import Ports, Service


def _command(_stamp: Path, _data: Path, ports: Ports) -> list[str]:
    return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(ports["http"])]


def _environment(ports: Ports) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{ports['http']}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def _ready(ports: Ports) -> None:
    ask_http(f"http://127.0.0.1:{ports['http']}/moto-api/data.json")


S3 = Service(
    name="s3",
    summary="S3 (moto's server)",
    artifact=python_module("s3"),
    ports=("http",),
    command=_command,
    environment=_environment,
    ready=_ready,
)
