"""A Flink cluster of hosts that share nothing with the servers that it needs, and jobs on it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from services.cluster.flink import FlinkCluster
from services.cluster.hosts import kill_session
from services.manager import ROOT, Manager
from services.registry import SERVICES
from tests.integration.bigquery_place import one_after_the_other
from tests.integration.buckets import new_bucket
from tests.integration.stream_jobs import ROOT as SOURCES
from transforms.state.process import PROCESS

LOOK_SECONDS = 1.0
GIVE_UP_SECONDS = 900.0
JOB = "pipelines.profiles"


class ClusterPlace:
    """The cluster and the servers that it and the test use: all with the same addresses for everybody."""

    def __init__(self, folder: Path, services: Sequence[str]) -> None:
        self._manager = Manager(state=folder / "services")
        self._open = ExitStack()
        self.running = {name: self._manager.up(name) for name in services}
        if "bigquery" in self.running:
            self.running["bigquery"] = self._open.enter_context(one_after_the_other(self.running["bigquery"]))
        self.environment = {key: value for one in self.running.values() for key, value in one.environment.items()}
        os.environ.update(self.environment)  # of a pytest that runs this test alone
        self.bucket = new_bucket("s3", self.environment)
        ports = [_port(address) for one in self.running.values() for address in one.endpoints.values()]
        self.cluster = FlinkCluster(ROOT, folder / "flink", self.environment, self.bucket, ports)
        try:
            self.cluster.start()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends everything."""
        self.cluster.close()
        PROCESS.close()  # the emulator of BigQuery does not end while somebody is connected
        self._open.close()
        for name in reversed(SERVICES):
            self._manager.down(name)


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


class ClusterJob:
    """`python -m JOB` that submits to the cluster: the process ends with the block, the job does not."""

    def __init__(
        self, place: ClusterPlace, parallelism: int, log: Path, *arguments: str, job: Sequence[str] = (JOB,)
    ) -> None:
        self._place = place
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *job, *arguments, *place.cluster.arguments(parallelism)],
                cwd=SOURCES,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        kill_session(self._process)

    def wait(self) -> int:
        """Its exit status."""
        return self._process.wait(GIVE_UP_SECONDS)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Looks again and again while the process runs."""
        until = time.monotonic() + GIVE_UP_SECONDS
        while not condition():
            assert self._process.poll() is None, f"it ended with {self._process.returncode}:\n{self.log()}"
            assert time.monotonic() < until, f"it never came:\n{self.log()}"
            time.sleep(LOOK_SECONDS)

    def running(self) -> str:
        """The id of the job that runs on the cluster; "" while none does."""
        found: list[str] = self._place.cluster.jobs("RUNNING")
        return found[0] if found else ""

    def printed(self) -> str:
        """What it has printed."""
        return self._log.read_text()

    def log(self) -> str:
        """What it has printed, and what the cluster has."""
        return f"{self.printed()}\n{self._place.cluster.log()}"


def kill_and_replace(place: ClusterPlace, chance: random.Random) -> None:
    """One of the TaskManagers is gone in the middle of its work; another one takes its place."""
    number = chance.randrange(2)
    place.cluster.kill_task_manager(number)
    place.cluster.start_task_manager(number)
