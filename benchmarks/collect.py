"""`python -m benchmarks.collect`: events per second that the API takes, durably, beside an endpoint that only answers.

Each server runs alone, on this machine, under the same load from one process beside it: requests that are sent on kept
connections, as soon as the one before is answered ("as fast as it goes"), or at a rate, where each connection has its
own times to send, and a request's latency counts from its time, also where it had to wait for the one before. What a
server's own processes used of the CPU is told, too: the load takes the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

import psutil
import uvloop

from api import keys

ROOT = Path(__file__).parent.parent
KEY = "benchmark"
SINGLE_CONNECTIONS, BATCH_CONNECTIONS = 96, 12
BATCH_EVENTS = 100
SINGLE_RATE, BATCH_RATE = 5_000, 500
"""Requests a second: 432 million single events a day, and ten times as many in batches."""
_WARM_UP_SECONDS = 1.0
_EVENT = {
    "type": "track",
    "event": "Product Viewed",
    "userId": "u_00001",
    "timestamp": "2026-03-01T12:00:00.000Z",
    "properties": {
        "product_id": "p_001",
        "name": "Hiking Boot",
        "price": 129.9,
        "currency": "EUR",
        "category": "Shoes",
    },
    "context": {"page": {"url": "https://shop.example/p_001"}, "locale": "de-DE", "userAgent": "Mozilla/5.0 (X11)"},
}

PLAIN = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
async def take(request):
    await request.body()
    return JSONResponse({"success": True})
app = Starlette(routes=[Route("/v1/{kind}", take, methods=["POST"])])
"""


class Result(NamedTuple):
    """Of one server under one load. Latencies in milliseconds, CPU in cores."""

    server: str
    load: str
    requests_per_second: float
    events_per_second: float
    median_ms: float
    p99_ms: float
    server_cores: float


def request_bytes(events: int) -> bytes:
    """A request with so many events: one goes to /v1/track, more to /v1/batch."""
    items = [{**_EVENT, "messageId": f"m-{number:040d}"} for number in range(events)]
    body = json.dumps(items[0] if events == 1 else {"batch": items}).encode()
    path = "track" if events == 1 else "batch"
    head = f"POST /v1/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YmVuY2htYXJrOg==\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class _Client(asyncio.Protocol):
    """One connection that sends again and again until `until`: every so many seconds, or at once (0)."""

    def __init__(self, request: bytes, until: float, took: list[float], every: float) -> None:
        self._request = request
        self._until = until
        self._took = took
        self._every = every
        self._due = 0.0
        self._said = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._due = time.perf_counter() + random.random() * self._every
        self._wait_and_send()

    def data_received(self, data: bytes) -> None:
        self._said += data
        if not self._said.endswith(b"}"):
            return
        if b" 200 " not in self._said[:16]:
            self.done.set_exception(RuntimeError(self._said[:500].decode()))
            self._transport.close()
            return
        now = time.perf_counter()
        self._took.append(now - self._due)
        self._said = b""
        if now < self._until:
            self._due = self._due + self._every if self._every else now
            self._wait_and_send()
        else:
            self._transport.close()
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server hung up"))

    def _wait_and_send(self) -> None:
        wait = self._due - time.perf_counter()
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self._transport.write, self._request)
        else:
            self._transport.write(self._request)


async def _load(port: int, request: bytes, connections: int, seconds: float, rate: float = 0) -> list[float]:
    loop, took = asyncio.get_running_loop(), list[float]()
    until, every = time.perf_counter() + seconds, connections / rate if rate else 0.0
    made = [
        loop.create_connection(lambda: _Client(request, until, took, every), "127.0.0.1", port)
        for _ in range(connections)
    ]
    clients = [client for _, client in await asyncio.gather(*made)]
    await asyncio.gather(*(client.done for client in clients))
    return took


@contextmanager
def _running(command: Sequence[str], folder: Path, port: int) -> Iterator[int]:
    """A server, once it listens; gives its process id."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - this project's own server, and one made here
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_for(port, process, folder / "log")
            yield process.pid
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError(log.read_text())
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("the server does not start")


def _cpu_seconds(pid: int) -> float:
    root = psutil.Process(pid)
    times = [process.cpu_times() for process in (root, *root.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def measure(server: str, folder: Path, workers: int, seconds: float) -> Iterator[Result]:
    """All loads on a server of its own: `api` or `plain`."""
    port = _free_port()
    if server == "api":
        keys.add_key(folder / "keys.yaml", "benchmark", ["collect"], KEY)
        (folder / "keys.yaml").write_text((folder / "keys.yaml").read_text() + "    rate: 1000000\n")
        command = [
            sys.executable,
            "-m",
            "api",
            "--listen",
            f"127.0.0.1:{port}",
            "--events",
            f"spool:{folder / 'spool'}",
        ]
        command += ["--keys", str(folder / "keys.yaml"), "--workers", str(workers)]
    else:
        (folder / "plain.py").write_text(PLAIN)
        command = [sys.executable, "-m", "uvicorn", "plain:app", "--port", str(port), "--no-access-log"]
        command += ["--log-level", "warning", "--workers", str(workers), "--timeout-graceful-shutdown", "1"]
    for events, connections, asked in (
        (1, SINGLE_CONNECTIONS, 0),
        (BATCH_EVENTS, BATCH_CONNECTIONS, 0),
        (1, SINGLE_CONNECTIONS, SINGLE_RATE),
        (BATCH_EVENTS, BATCH_CONNECTIONS, BATCH_RATE),
    ):
        with _running(command, folder, port) as pid:
            request = request_bytes(events)
            uvloop.run(_load(port, request, connections, _WARM_UP_SECONDS))
            cpu, started = _cpu_seconds(pid), time.perf_counter()
            took = sorted(uvloop.run(_load(port, request, connections, seconds, asked)))
            passed = time.perf_counter() - started
            cores = (_cpu_seconds(pid) - cpu) / passed
        rate = len(took) / passed
        median, p99 = (took[int(len(took) * part)] * 1000 for part in (0.5, 0.99))
        load = f"{events} at {f'{asked:,} a second' if asked else 'full speed'}"
        yield Result(server, load, rate, rate * events, median, p99, cores)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one line per server and load."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.collect", description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0, metavar="S", help="per load (%(default)s)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes of each server (%(default)s)")
    options = parser.parse_args(arguments)
    print(
        f"{'server':8}{'events a request':>24}{'requests/s':>12}{'events/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'cores':>8}"
    )
    for server in ("plain", "api"):
        with tempfile.TemporaryDirectory() as folder:
            for found in measure(server, Path(folder), options.workers, options.seconds):
                print(
                    f"{found.server:8}{found.load:>24}{found.requests_per_second:12,.0f}{found.events_per_second:12,.0f}"
                    f"{found.median_ms:9.1f}{found.p99_ms:9.1f}{found.server_cores:8.2f}",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
