"""Kill -9 under load, a stop under load: whatever was answered with 200 is in the tables, once."""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from api import keys
from tests.integration.stream_jobs import ROOT, run_batch, write_segments

KEY = "collect-key"
BASIC = {"Authorization": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()}
CLIENTS = 6


class Server:
    """`python -m api` as a process of its own, on the same spool and port each time."""

    def __init__(self, folder: Path, workers: int) -> None:
        self._command = [sys.executable, "-m", "api", "--events", f"spool:{folder / 'spool'}"]
        self._command += ["--keys", str(folder / "keys.yaml"), "--workers", str(workers)]
        self._log = (folder / "api.log").open("ab")
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [*self._command, "--listen", f"127.0.0.1:{self.port}"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=self._log, start_new_session=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline().split(b" (")[0].rsplit(b":", 1)[1])

    def kill(self) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._close()

    def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(60)
        self._close()
        return status

    def _close(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.stdout.close()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        self._log.close()


class Load:
    """Clients that send batches and single events as fast as they are answered, and again what was not answered."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stopped = threading.Event()
        self.answered: set[str] = set()
        self.sent: list[list[str]] = []
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(CLIENTS)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 120
        while len(self.answered) < count:
            assert time.monotonic() < deadline, "the load does not move"
            self._stopped.wait(0.01)

    def _send(self, client: int) -> None:
        chance = random.Random(client)  # noqa: S311 - a load, not a secret
        number = 0
        while not self._stopped.is_set():
            names = [f"e{client}-{number}-{part}" for part in range(chance.choice((1, 1, 40)))]
            number += 1
            self.sent.append(names)
            while not self._stopped.is_set() and not self._try(names):
                self._stopped.wait(0.05)

    def _try(self, names: list[str]) -> bool:
        items = [
            {
                "type": "track",
                "event": "Product Viewed",
                "userId": name,
                "messageId": name,
                "properties": {"x": "y" * 200},
            }
            for name in names
        ]
        body = json.dumps({"batch": items, "sentAt": "2026-03-01T12:00:00Z"})
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=30)
        try:
            connection.request("POST", "/v1/batch", body, BASIC)
            if connection.getresponse().status != 200:
                return False
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        self.answered.update(names)
        return True


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys.add_key(tmp_path / "keys.yaml", "load", ["collect"], KEY)
    return tmp_path


@pytest.fixture(params=[1, 2])
def server(folder: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    server = Server(folder, request.param)
    yield server
    server.close()


def lines(folder: Path) -> list[Any]:
    assert not list((folder / "spool").glob(".*")), "what a crash left is published"
    return [json.loads(line) for file in (folder / "spool").iterdir() for line in file.read_bytes().splitlines()]


def test_what_was_answered_survives_being_killed(folder: Path, server: Server) -> None:
    server.start()
    with Load(server) as load:
        for round_ in range(1, 5):
            load.wait_for(300 * round_)
            server.kill()
            server.start()
        load.wait_for(1500)
        load._stopped.set()
    assert server.stop() == 0
    found = [event["messageId"] for event in lines(folder)]
    assert load.answered - set(found) == set()
    present = set(found)
    halves = [names for names in load.sent if 0 < sum(name in present for name in names) < len(names)]
    assert halves == [], "a batch is there whole or not at all"
    write_segments(folder / "segments")
    run_batch([f"{folder}/spool/*.ndjson"], folder / "segments", folder / "out.duckdb")
    with duckdb.connect(str(folder / "out.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT message_id FROM events").fetchall()
        assert connection.execute("SELECT reason, errors FROM failed_events").fetchall() == []
    assert sorted(name for (name,) in rows) == sorted(present), "each once, whatever was sent again"


def test_a_stop_under_load_ends_what_was_begun(folder: Path, server: Server) -> None:
    server.start()
    with Load(server) as load:
        load.wait_for(500)
        assert server.stop() == 0
        load._stopped.set()
    assert load.answered - {event["messageId"] for event in lines(folder)} == set()
