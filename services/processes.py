"""Starts a server, proves that the one that answers is the one started, and stops it by its own pid."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

import psutil

from services.service import Running, Service, ServiceError

POLL_SECONDS = 0.1
TERMINATE_SECONDS = 10.0

LOOPBACK = "127.0.0.1"
_LASTING_PORTS = range(15_000, 32_000)
"""Below what systems give to outgoing connections: Linux from 32,768 on, others from 49,152."""
_TRIES = 100

_children: list[subprocess.Popen[bytes]] = []
"""What this process started. Kept, because a server may outlive the function that started it, and this process too."""


def free_ports(service: str, names: Iterable[str], wanted: dict[str, int]) -> dict[str, int]:
    """A port for each name: the wanted one, else one that is free now.

    Such a one is none that the system gives to outgoing connections: else a client that looks for a server which is
    just being started again may be given the server's port, and is then connected with itself, and in its way.

    Raises:
        ServiceError: A wanted port is taken.
    """
    ports = {}
    with contextlib.ExitStack() as held:
        for name in names:
            listener = held.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                if name in wanted:
                    listener.bind((LOOPBACK, wanted[name]))
                else:
                    _bind_to_any(listener)
            except OSError as error:
                raise ServiceError(
                    f"{service}.{name}: port {wanted.get(name, 0)} is taken ({error.strerror})"
                ) from error
            ports[name] = int(listener.getsockname()[1])
    return ports


def _bind_to_any(listener: socket.socket) -> None:
    for port in random.sample(_LASTING_PORTS, _TRIES):
        with contextlib.suppress(OSError):
            listener.bind((LOOPBACK, port))
            return
    listener.bind((LOOPBACK, 0))


def start(service: Service, command: list[str], ports: dict[str, int], log: Path, extra: dict[str, str]) -> Running:
    """Starts the command in a session of its own and waits until it is ready.

    Raises:
        ServiceError: It ended, or was not ready in time. The text quotes the end of its log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **extra},
            start_new_session=True,
        )
    _children.append(child)
    process = psutil.Process(child.pid)
    running = Running(
        name=service.name,
        pid=child.pid,
        started_at=process.create_time(),
        endpoints={name: f"{LOOPBACK}:{port}" for name, port in ports.items()},
        environment=service.environment(ports),
        log=str(log),
    )
    try:
        _wait_until_ready(service, child, ports, log)
    except BaseException:
        stop(running)
        raise
    return running


def _wait_until_ready(service: Service, child: subprocess.Popen[bytes], ports: dict[str, int], log: Path) -> None:
    deadline = time.monotonic() + service.start_seconds
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise ServiceError(f"{service.name} ended with status {child.returncode}:\n{tail(log)}")
        if owns_ports(child.pid, ports.values()):
            try:
                if service.ready is not None:
                    service.ready(ports)
            except ConnectionError:
                pass  # it listens already, but does not serve yet
            else:
                return
        time.sleep(POLL_SECONDS)
    raise ServiceError(f"{service.name} was not ready after {service.start_seconds:.0f} s:\n{tail(log)}")


def owns_ports(pid: int, ports: Iterable[int]) -> bool:
    """Whether the process itself (or a child of it) listens on every one of the ports."""
    listening: set[int] = set()
    try:
        process = psutil.Process(pid)
        for member in [process, *process.children(recursive=True)]:
            listening.update(
                connection.laddr.port
                for connection in member.net_connections(kind="tcp")
                if connection.status == psutil.CONN_LISTEN
            )
    except psutil.NoSuchProcess:
        return False
    return set(ports) <= listening


def find_process(running: Running) -> psutil.Process | None:
    """The service's process, or None when it is gone (also when its pid now belongs to another process)."""
    try:
        process = psutil.Process(running.pid)
        same = abs(process.create_time() - running.started_at) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def stop(running: Running) -> None:
    """SIGTERM, then SIGKILL after some seconds, to exactly the process that was started."""
    process = find_process(running)
    if process is None:
        return
    process.terminate()
    try:
        process.wait(TERMINATE_SECONDS)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(TERMINATE_SECONDS)


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def ask_http(url: str) -> None:
    """Raises ConnectionError until the URL answers with a success."""
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - always http on loopback
            return
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise ConnectionError(str(error)) from error
