"""Flink 1.19 inside Beam's job server: pipelines go to it with `--runner=PortableRunner --job_endpoint=...`."""

from __future__ import annotations

import socket
from pathlib import Path

from services.building import find_tool, maven_jars
from services.service import Ports, Service

OPENED_PACKAGES = (
    "java.lang",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "java.nio",
    "java.time",
)
"""Packages of the JDK that Flink's serialisers reach into."""


def opened_packages() -> list[str]:
    """Arguments of a JVM that open them."""
    return [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED_PACKAGES]


def _command(jars: Path, data: Path, ports: Ports) -> list[str]:
    return [
        find_tool("java"),
        "-Xmx1g",
        f"-Djava.io.tmpdir={data}",
        *opened_packages(),
        "-cp",
        f"{jars}/*",
        "org.apache.beam.runners.flink.FlinkJobServerDriver",
        f"--job-port={ports['jobs']}",
        f"--artifact-port={ports['artifacts']}",
        "--expansion-port=0",
        f"--artifacts-dir={data}/artifacts",
        "--flink-master=[local]",
    ]


def _environment(ports: Ports) -> dict[str, str]:
    return {"FLINK_JOB_ENDPOINT": f"127.0.0.1:{ports['jobs']}"}


def _ready(ports: Ports) -> None:
    socket.create_connection(("127.0.0.1", ports["jobs"]), timeout=2).close()


FLINK = Service(
    name="flink",
    summary="Flink 1.19 (Beam's job server, local cluster)",
    artifact=maven_jars("flink", "flink/lib"),
    ports=("jobs", "artifacts"),
    command=_command,
    environment=_environment,
    prepare=lambda _jars, data, _ports: (data / "artifacts").mkdir(parents=True),
    ready=_ready,
    every_interface=True,
)
