"""Options of a job that is watched: where its metrics are told, and how its log lines look."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pipelines.io.place import Place, parse_place

_LIBRARY = "prometheus_client"


@dataclass(frozen=True, slots=True)
class MetricsOptions:
    """Where metrics go: `place` to be asked for, `file` to be left when the job has ended; None: nowhere."""

    place: Place | None = None
    file: Path | None = None


def add_metrics_arguments(parser: argparse.ArgumentParser) -> None:
    """What a job that counts takes."""
    group = parser.add_argument_group("metrics (docs/metrics.md)")
    group.add_argument(
        "--metrics_port",
        metavar="[HOST:]PORT",
        help="answer Prometheus at http://127.0.0.1:PORT/metrics while the job runs; with a HOST such as 0.0.0.0 other "
        "machines may ask, too",
    )
    group.add_argument(
        "--metrics_file",
        metavar="FILE",
        help="a job whose inputs end leaves its metrics in this file, for node_exporter's textfile collector (.prom)",
    )


def read_metrics_options(known: argparse.Namespace, problems: list[str], *, bounded: bool) -> MetricsOptions:
    """What the command line says; what is wrong with it is added to `problems`.

    Args:
        known: what was given.
        problems: is added to.
        bounded: whether the inputs end.
    """
    place, file = None, None if known.metrics_file is None else Path(known.metrics_file)
    if known.metrics_port is not None:
        try:
            place = parse_place(known.metrics_port)
        except ValueError as error:
            problems.append(f"--metrics_port {error}, such as 9464 or 0.0.0.0:9464")
    if file is not None and not file.parent.is_dir():
        problems.append(f"--metrics_file {file}: there is no folder {file.parent}")
    if file is not None and not bounded:
        problems.append(f"--metrics_file {file}: an input without end; expected --metrics_port, to be asked meanwhile")
    if (known.metrics_port or known.metrics_file) and find_spec(_LIBRARY) is None:
        option = "--metrics_port" if known.metrics_port else "--metrics_file"
        problems.append(f"{option}: prometheus-client is not installed; expected pip install 'tidemark[metrics]'")
    return MetricsOptions(place, file)
