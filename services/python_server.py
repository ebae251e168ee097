"""A server that is a Python module of this environment: there is nothing to build."""

from __future__ import annotations

import sys
from collections.abc import Callable

from services.building import python_module
from services.processes import ask_http
from services.service import Ports, Service


def python_server(
    name: str,
    summary: str,
    module: str,
    arguments: Callable[[str], list[str]],
    environment: Callable[[str], dict[str, str]],
    healthy: str,
) -> Service:
    """A service on one port of loopback, `http`.

    Args:
        name: on the command line.
        summary: what it stands in for.
        module: is run by this Python.
        arguments: of the module, from the port's number.
        environment: what clients set to reach it, from its URL.
        healthy: a path that is answered with success once it serves.
    """

    def url(ports: Ports) -> str:
        return f"http://127.0.0.1:{ports['http']}"

    return Service(
        name=name,
        summary=summary,
        artifact=python_module(name),
        ports=("http",),
        command=lambda _stamp, _data, ports: [sys.executable, "-m", module, *arguments(str(ports["http"]))],
        environment=lambda ports: environment(url(ports)),
        ready=lambda ports: ask_http(url(ports) + healthy),
    )
