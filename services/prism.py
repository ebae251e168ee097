"""Prism, Beam's portable local runner: only a binary; a pipeline starts it by `--prism_location`."""

from __future__ import annotations

from services.building import go_program
from services.service import Service

VERSION = "v2.77.0"  # the version of apache-beam in setup.py

PRISM = Service(
    name="prism",
    summary="Prism, Beam's portable local runner (a binary, no server)",
    artifact=go_program("github.com/apache/beam/sdks/v2/go/cmd/prism", VERSION, "bin/prism"),
    every_interface=True,
)
