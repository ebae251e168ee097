"""What a service is: how it is built, started and known to be ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Ports = Mapping[str, int]
"""A port number for each of a service's port names."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something built once and kept: a binary or a folder of jars.

    Attributes:
        path: Where it is, relative to `.services/`.
        pins: The texts (versions, lock files) that decide what is built; it is built again when one changes.
        build: Builds it at the absolute path that it is given.
    """

    path: str
    pins: Callable[[], tuple[str, ...]]
    build: Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Service:
    """One server.

    Attributes:
        name: Its name on the command line and in `env.json`.
        summary: What it stands in for, one line.
        artifact: What has to be built before it starts.
        ports: Names of the ports that it listens on. The first one is ready last.
        command: The argument vector, from the artifact, an empty data folder and the ports.
        environment: What clients set to reach it, from the ports.
        needs: Services that must be up first; it gets their environment.
        prepare: Runs before the start, with the artifact, the data folder and the ports.
        ready: Asks the server something that only a ready one answers; raises ConnectionError while it is not.
        every_interface: Whether it listens on every interface, whatever it is told. Such a service runs only in a
            network that has nothing but loopback (`isolation.py`).
        start_seconds: How long it may take until it is ready.
    """

    name: str
    summary: str
    artifact: Artifact
    ports: tuple[str, ...] = ()
    command: Callable[[Path, Path, Ports], list[str]] | None = None
    environment: Callable[[Ports], dict[str, str]] = field(default=lambda ports: {})
    needs: tuple[str, ...] = ()
    prepare: Callable[[Path, Path, Ports], None] | None = None
    ready: Callable[[Ports], None] | None = None
    every_interface: bool = False
    start_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Running:
    """A service that is up.

    Attributes:
        name: The service.
        pid: Its process.
        started_at: When the kernel created the process (epoch seconds): with the pid, its identity.
        endpoints: `127.0.0.1:PORT` by port name.
        environment: What clients set to reach it.
        log: Where its output goes.
    """

    name: str
    pid: int
    started_at: float
    endpoints: dict[str, str]
    environment: dict[str, str]
    log: str


class ServiceError(Exception):
    """A service cannot be built or started. The text says what to do about it."""
