"""BigQuery: goccy's emulator, its REST and gRPC (Storage Write) interfaces."""

from __future__ import annotations

from pathlib import Path

from services.building import go_module
from services.processes import ask_http
from services.service import Ports, Service

PROJECT = "test"


def _command(binary: Path, _data: Path, ports: Ports) -> list[str]:
    return [
        str(binary),
        "--host=127.0.0.1",
        f"--project={PROJECT}",
        "--dataset=ds",
        f"--port={ports['http']}",
        f"--grpc-port={ports['grpc']}",
    ]


def _environment(ports: Ports) -> dict[str, str]:
    return {
        "BIGQUERY_EMULATOR_HOST": f"http://127.0.0.1:{ports['http']}",
        "BIGQUERY_STORAGE_EMULATOR_HOST": f"127.0.0.1:{ports['grpc']}",
    }


def _ready(ports: Ports) -> None:
    ask_http(f"http://127.0.0.1:{ports['http']}/bigquery/v2/projects/{PROJECT}/datasets")


BIGQUERY = Service(
    name="bigquery",
    summary="BigQuery (goccy/bigquery-emulator)",
    artifact=go_module("bigquery", "github.com/goccy/bigquery-emulator/cmd/bigquery-emulator", "bin/bigquery-emulator"),
    ports=("http", "grpc"),
    command=_command,
    environment=_environment,
    needs=("gcs",),  # for loads from gs://
    ready=_ready,
)
