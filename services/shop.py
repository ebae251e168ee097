"""A made-up shop whose orders are pulled, with faults to order."""

from __future__ import annotations

import sys
from pathlib import Path

from services.building import python_module
from services.processes import ask_http
from services.service import Ports, Service


def _command(_stamp: Path, _data: Path, ports: Ports) -> list[str]:
    return [sys.executable, "-m", "services.shop_server", "--port", str(ports["http"])]


def _environment(ports: Ports) -> dict[str, str]:
    return {
        "SHOP_URL": f"http://127.0.0.1:{ports['http']}",
        "SHOP_CLIENT_ID": "client",
        "SHOP_CLIENT_SECRET": "secret",
    }


def _ready(ports: Ports) -> None:
    ask_http(f"http://127.0.0.1:{ports['http']}/healthz")


SHOP = Service(
    name="shop",
    summary="A made-up shop with orders and faults (ours)",
    artifact=python_module("shop"),
    ports=("http",),
    command=_command,
    environment=_environment,
    ready=_ready,
)
