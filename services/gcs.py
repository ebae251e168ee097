"""Cloud Storage: fake-gcs-server, in memory.

It passes over what a batch asks for without a Content-ID, as Google's own Python client does (and Beam, to delete).
Here it does not.
"""

from __future__ import annotations

from pathlib import Path

from services.building import patched_go_program
from services.processes import ask_http
from services.service import Ports, Service

VERSION = "v1.56.1"


def _command(binary: Path, _data: Path, ports: Ports) -> list[str]:
    address = f"127.0.0.1:{ports['http']}"
    listen = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(ports["http"])]
    return [str(binary), *listen, "-backend", "memory", "-public-host", address, "-external-url", f"http://{address}"]


def _environment(ports: Ports) -> dict[str, str]:
    return {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{ports['http']}"}


def _ready(ports: Ports) -> None:
    ask_http(f"http://127.0.0.1:{ports['http']}/storage/v1/b?project=test")


GCS = Service(
    name="gcs",
    summary="Cloud Storage (fake-gcs-server)",
    artifact=patched_go_program(
        "github.com/fsouza/fake-gcs-server",
        VERSION,
        ".",
        "gcs/batch-without-content-ids.patch",
        "bin/cloud-storage",
    ),
    ports=("http",),
    command=_command,
    environment=_environment,
    ready=_ready,
)
