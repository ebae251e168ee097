"""The API as a process of its own, and clients that send to it as fast as it answers."""

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
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from api import keys
from tests.integration.stream_jobs import ROOT

KEY = "collect-key"
BASIC = {"Authorization": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()}
CLIENTS = 6
LONGEST_SECONDS = 120


def write_keys(folder: Path) -> None:
    keys.add_key(folder / "keys.yaml", "load", ["collect"], KEY)


class Server:
    """`python -m api` as a process of its own, on the same port each time.

    Args:
        folder: where the keys are (`write_keys`) and the log goes.
        events: where events go; by default into `spool` in the folder.
        workers: its processes.
    """

    def __init__(self, folder: Path, events: str = "", workers: int = 1) -> None:
        self._command = [sys.executable, "-m", "api", "--events", events or f"spool:{folder / 'spool'}"]
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
    """Clients that send batches and single events as fast as they are answered, and again what was not answered.

    Args:
        server: takes them.
        pause_seconds: how long each waits between two requests.

    Attributes:
        answered: the ids of what was answered with 200.
        sent: the ids of each request.
        refused: how often each other status came.
        without_hint: how often it came without `Retry-After`.
    """

    def __init__(self, server: Server, pause_seconds: float = 0.0) -> None:
        self._server = server
        self._pause_seconds = pause_seconds
        self._stopped = threading.Event()
        self.answered: set[str] = set()
        self.sent: list[list[str]] = []
        self.refused: Counter[int] = Counter()
        self.without_hint = 0
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(CLIENTS)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()
        for thread in self._threads:
            thread.join()

    def wait_for(self, count: int) -> None:
        """Until so many events were answered for."""
        self._wait(lambda: len(self.answered) >= count)

    def wait_for_refusals(self, count: int) -> None:
        """Until so many requests were not taken."""
        self._wait(lambda: self.refused.total() >= count)

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LONGEST_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"the load does not move: {len(self.answered)}, {self.refused}"
            self._stopped.wait(0.01)

    def stop(self) -> None:
        """Nothing more is sent."""
        self._stopped.set()

    def _send(self, client: int) -> None:
        chance = random.Random(client)  # noqa: S311 - a load, not a secret
        number = 0
        while not self._stopped.is_set():
            names = [f"e{client}-{number}-{part}" for part in range(chance.choice((1, 1, 40)))]
            number += 1
            self.sent.append(names)
            while not self._stopped.is_set() and not self._try(names):
                self._stopped.wait(0.05)
            self._stopped.wait(self._pause_seconds)

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
            answer = connection.getresponse()
            if answer.status != 200:
                self.refused[answer.status] += 1
                self.without_hint += answer.getheader("Retry-After") is None
                return False
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        self.answered.update(names)
        return True
