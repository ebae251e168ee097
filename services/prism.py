"""Prism, Beam's portable local runner: only a binary; a pipeline starts it by `--prism_location`.

Beam 2.77's own has two faults, mended here by a line each. From a bundle's last output until its response it does not
wait but spins: at 1,000 events a second that took half a core, on a machine of two. And it listens on every interface,
to whoever comes: here on 127.0.0.1 only.
"""

from __future__ import annotations

from services.building import patched_go_program
from services.service import Service

VERSION = "v2.77.0"  # the version of apache-beam in setup.py

PRISM = Service(
    name="prism",
    summary="Prism, Beam's portable local runner (a binary, no server)",
    artifact=patched_go_program(
        "github.com/apache/beam/sdks/v2",
        VERSION,
        "./go/cmd/prism",
        "prism/listen-on-loopback.patch",
        "bin/prism",
    ),
    every_interface=True,
)
