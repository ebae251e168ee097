"""Flink 1.19 standalone: a JobManager and TaskManagers on hosts of their own, and Beam's job server that submits to it.

| host | runs |
| --- | --- |
| `jobmanager` | the JobManager |
| `taskmanager-1`, `-2` ... | a TaskManager, and beside it Beam's worker pool for Python, on 127.0.0.1:50000 |
| the isolated network itself | Beam's job server; whoever submits jobs |

State is in RocksDB on each TaskManager's own disk; checkpoints and savepoints go to S3. Jobs need
`--runner=PortableRunner` and what `arguments` says.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from services.building import build_artifact, find_tool, maven_jars
from services.cluster.hosts import Host, Network, kill_session
from services.flink import FLINK, opened_packages
from services.processes import free_ports
from services.service import ServiceError

CLUSTER_JARS = maven_jars("flink_cluster", "flink_cluster/lib")
S3_PLUGIN = maven_jars("flink_s3", "flink_cluster/plugins/s3")

REST_PORT = 8081
POOL_PORT = 50000
METRICS_PORT = 9249
"""Where each host's Flink tells its metrics, as Prometheus asks for them."""
START_SECONDS = 120.0
_LOOK_SECONDS = 0.2
_HOME = "flink"
_KEEP_WORKERS_MS = 60_000

_ENTRY = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_RUNNER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"

_JOB_MANAGER = {
    "jobmanager.memory.heap.size": "512mb",
    "jobmanager.memory.off-heap.size": "128mb",
    "jobmanager.memory.jvm-metaspace.size": "256mb",
}
_TASK_MANAGER = {
    "taskmanager.cpu.cores": "1",
    "taskmanager.memory.framework.heap.size": "128mb",
    "taskmanager.memory.framework.off-heap.size": "128mb",
    "taskmanager.memory.task.heap.size": "384mb",
    "taskmanager.memory.task.off-heap.size": "64mb",
    "taskmanager.memory.managed.size": "256mb",
    "taskmanager.memory.network.min": "192mb",
    "taskmanager.memory.network.max": "192mb",
    "taskmanager.memory.jvm-metaspace.size": "256mb",
    "taskmanager.memory.jvm-overhead.min": "192mb",
    "taskmanager.memory.jvm-overhead.max": "192mb",
    "taskmanager.network.sort-shuffle.min-buffers": "64",  # a bounded job has many shuffles, each with its buffers
}
"""What Flink's own start script would work out."""


class FlinkCluster:
    """The cluster, in an isolated network. For one process.

    Args:
        root: where the artifacts are (`.services`).
        data: a folder for logs and the job server's artifacts.
        environment: of the workers: how they reach servers, the S3 one (`services/moto.py`) among them.
        bucket: S3 URL for checkpoints and savepoints.
        shared_ports: ports of the isolated network that every host sees: of the S3 server, a broker ...
        task_managers: how many.
        slots: how many each has.
    """

    def __init__(
        self,
        root: Path,
        data: Path,
        environment: Mapping[str, str],
        bucket: str,
        shared_ports: list[int],
        task_managers: int = 2,
        slots: int = 2,
    ) -> None:
        self._jars = [build_artifact(FLINK.artifact, root), build_artifact(CLUSTER_JARS, root)]
        self._plugins = build_artifact(S3_PLUGIN, root).parent
        self._data = data
        self._environment = dict(environment)
        self._bucket = bucket
        self._slots = slots
        self._logs = data / "log"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._network = Network(self._logs)
        self._job_manager = self._network.add("jobmanager")
        self._task_managers = [self._network.add(f"taskmanager-{n + 1}") for n in range(task_managers)]
        self._network.share(shared_ports)
        self._jvms: dict[str, subprocess.Popen[bytes]] = {}
        self._pools: dict[str, subprocess.Popen[bytes]] = {}
        self._ports = free_ports("flink", ("jobs", "artifacts"), {})
        self._job_server: subprocess.Popen[bytes] | None = None

    # --- as a whole --------------------------------------------------------------------------------------------------

    @staticmethod
    def build(root: Path) -> None:
        """Builds what the cluster runs, which inside an isolated network is too late."""
        for artifact in (FLINK.artifact, CLUSTER_JARS, S3_PLUGIN):
            build_artifact(artifact, root)

    def start(self) -> None:
        """Starts everything that does not run; returns when all TaskManagers have reported."""
        if not self._runs("jobmanager"):
            self._start_jvm(self._job_manager, _ENTRY, {**self._common(), **_JOB_MANAGER})
        for number in range(len(self._task_managers)):
            self.start_task_manager(number)
        self._wait("the TaskManagers have not reported", self._all_have_reported)
        if self._job_server is None:
            self._start_job_server()

    def stop(self) -> None:
        """Kills the whole of Flink, job server included; the hosts and what they have on their disks stay."""
        for process in (*self._jvms.values(), *self._pools.values(), self._job_server):
            if process is not None:
                kill_session(process)
        self._jvms.clear()
        self._pools.clear()
        self._job_server = None

    def close(self) -> None:
        """Ends everything, the hosts too."""
        self.stop()
        self._network.close()

    # --- TaskManagers ------------------------------------------------------------------------------------------------

    def start_task_manager(self, number: int) -> None:
        """Starts a TaskManager and its worker pool, those of them that do not run."""
        host = self._task_managers[number]
        if not self._runs(host.name):
            settings = {
                **self._common(),
                **_TASK_MANAGER,
                "taskmanager.host": host.address,
                "taskmanager.numberOfTaskSlots": str(self._slots),
            }
            self._start_jvm(host, _RUNNER, settings)
        pool = self._pools.get(host.name)
        if pool is None or pool.poll() is not None:
            self._start_pool(host)

    def kill_task_manager(self, number: int) -> None:
        """SIGKILL for a TaskManager, its worker pool, and the workers: as if the machine were gone."""
        host = self._task_managers[number]
        for processes in (self._jvms, self._pools):
            process = processes.pop(host.name, None)
            if process is not None:
                kill_session(process)

    def _all_have_reported(self) -> bool:
        found = self.ask("/taskmanagers")["taskmanagers"]
        return len({one["path"] for one in found}) >= len(self._task_managers)

    # --- jobs --------------------------------------------------------------------------------------------------------

    def arguments(self, parallelism: int) -> list[str]:
        """Beam's arguments for a job on this cluster."""
        return [
            "--runner=PortableRunner",
            f"--job_endpoint=127.0.0.1:{self._ports['jobs']}",
            "--environment_type=EXTERNAL",
            f"--environment_config=127.0.0.1:{POOL_PORT}",
            f"--parallelism={parallelism}",
            # Between the stages of a bounded job nobody needs the workers for a moment: they shall wait for the next.
            f"--environment_cache_millis={_KEEP_WORKERS_MS}",
        ]

    def jobs(self, *states: str) -> list[str]:
        """The ids of jobs in one of these states; without any, of all."""
        found = self.ask("/jobs")["jobs"]
        return [job["id"] for job in found if not states or job["status"] in states]

    def checkpoints(self, job: str) -> int:
        """How many checkpoints of a job were completed."""
        counts = self.ask(f"/jobs/{job}/checkpoints").get("counts", {})
        return int(counts.get("completed", 0))

    def savepoint(self, job: str) -> str:
        """Takes a savepoint and ends the job, without draining it; returns where the savepoint is."""
        asked = {"target-directory": f"{self._bucket}/savepoints", "cancel-job": True}
        trigger = self.ask(f"/jobs/{job}/savepoints", asked)["request-id"]
        where: list[str] = []

        def done() -> bool:
            answer = self.ask(f"/jobs/{job}/savepoints/{trigger}")
            if answer["status"]["id"] != "COMPLETED":
                return False
            if "location" not in answer["operation"]:
                raise ServiceError(f"no savepoint: {json.dumps(answer)[:2_000]}")
            where.append(answer["operation"]["location"])
            return True

        self._wait("no savepoint", done)
        return where[0]

    def metrics(self) -> str:
        """What all TaskManagers tell Prometheus, the one after the other.

        Raises:
            ConnectionError: one does not answer.
        """
        return "".join(_get(f"http://{host.address}:{METRICS_PORT}/metrics") for host in self._task_managers)

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What the JobManager's REST interface answers.

        Raises:
            ConnectionError: it does not answer, or with an error.
        """
        url = f"http://{self._job_manager.address}:{REST_PORT}{path}"
        return json.loads(_get(url, None if body is None else json.dumps(body).encode()))

    def log(self) -> str:
        """The end of what everything has printed, for a test that fails."""
        parts = sorted(self._logs.iterdir())
        return "\n".join(f"== {part.name}\n{part.read_text(errors='replace')[-4_000:]}" for part in parts)

    # --- processes ---------------------------------------------------------------------------------------------------

    def _runs(self, name: str) -> bool:
        process = self._jvms.get(name)
        return process is not None and process.poll() is None

    def _start_jvm(self, host: Host, main: str, settings: Mapping[str, str]) -> None:
        conf = f"{tempfile.gettempdir()}/{_HOME}/conf"
        host.write(f"{conf}/flink-conf.yaml", "".join(f"{key}: {value}\n" for key, value in settings.items()))
        command = [
            find_tool("java"),
            "-Xmx512m",
            "-XX:MaxDirectMemorySize=2g",  # blocks of a large bounded job go through gRPC's buffers
            "-XX:+UseSerialGC",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            *opened_packages(),
            "-cp",
            ":".join(f"{jars}/*" for jars in self._jars),
            main,
            "--configDir",
            conf,
        ]
        self._jvms[host.name] = host.start("flink", command, {"FLINK_PLUGINS_DIR": str(self._plugins)})

    def _start_pool(self, host: Host) -> None:
        boot = f"{tempfile.gettempdir()}/{_HOME}/boot"
        host.write(boot, f'#!/bin/sh\nexec {sys.executable} -m services.cluster.worker_boot "$@"\n')
        pool = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main"]
        arguments = [f"--service_port={POOL_PORT}", f"--container_executable={boot}"]
        self._pools[host.name] = host.start("pool", [*pool, *arguments], self._environment)

    def _start_job_server(self) -> None:
        command = [
            find_tool("java"),
            "-Xmx1g",
            *opened_packages(),
            "-cp",
            f"{self._jars[0]}/*",
            "org.apache.beam.runners.flink.FlinkJobServerDriver",
            f"--job-port={self._ports['jobs']}",
            f"--artifact-port={self._ports['artifacts']}",
            "--expansion-port=0",
            f"--artifacts-dir={self._data}/artifacts",
            f"--flink-master={self._job_manager.address}:{REST_PORT}",
        ]
        with (self._logs / "job-server.log").open("ab") as output:
            self._job_server = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        port = self._ports["jobs"]
        self._wait("the job server does not answer", lambda: _answers(port))

    def _common(self) -> dict[str, str]:
        """Settings of JobManager and TaskManagers."""
        return {
            "jobmanager.rpc.address": self._job_manager.address,
            "jobmanager.bind-host": "0.0.0.0",  # noqa: S104 - of a host that only this network reaches
            "taskmanager.bind-host": "0.0.0.0",  # noqa: S104 - as above
            "rest.address": self._job_manager.address,
            "rest.bind-address": "0.0.0.0",  # noqa: S104 - as above
            "rest.port": str(REST_PORT),
            "io.tmp.dirs": f"{tempfile.gettempdir()}/{_HOME}/work",
            "heartbeat.interval": "1000",
            # Busy machines stop for minutes. A TaskManager that is gone is known sooner: it refuses connections.
            "heartbeat.timeout": "180000",
            "heartbeat.rpc-failure-threshold": "2",
            "cluster.evenly-spread-out-slots": "true",
            "classloader.resolve-order": "parent-first",
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": "30",
            "restart-strategy.fixed-delay.delay": "1 s",
            "metrics.reporters": "prom",
            "metrics.reporter.prom.factory.class": "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
            "metrics.reporter.prom.port": str(METRICS_PORT),
            "state.backend.type": "rocksdb",
            "state.backend.incremental": "true",
            "state.checkpoints.dir": f"{self._bucket}/checkpoints",
            "state.savepoints.dir": f"{self._bucket}/savepoints",
            "s3.endpoint": self._environment["AWS_ENDPOINT_URL_S3"],
            "s3.path.style.access": "true",
            "s3.access-key": self._environment["AWS_ACCESS_KEY_ID"],
            "s3.secret-key": self._environment["AWS_SECRET_ACCESS_KEY"],
        }

    def _wait(self, what: str, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            try:
                if condition():
                    return
            except ConnectionError:
                pass
            time.sleep(_LOOK_SECONDS)
        raise ServiceError(f"{what} after {START_SECONDS:.0f} s:\n{self.log()}")


def _get(url: str, body: bytes | None = None) -> str:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - of our own hosts
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            return str(answer.read(), "utf-8")
    except (urllib.error.URLError, TimeoutError) as error:
        raise ConnectionError(f"{url}: {error}") from error


def _answers(port: int) -> bool:
    socket.create_connection(("127.0.0.1", port), timeout=2).close()
    return True
