"""Options of a job whose input does not end: how late, how often, where what was read is kept."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.io.journal.journal import FILE_NAME as JOURNAL_FILE
from pipelines.io.outputs import BigQueryOutput, Output, local_target
from pipelines.options.events import checked, read_duration
from schemas.tables import EVENTS
from transforms.stream.settings import DEFAULT_BUCKETS

LOCAL_SHELVES = 2
"""A local runner has one worker, and each shelf costs it some round trips a bundle."""
_SECOND_US = 1_000_000
_DURATIONS = {
    "allowed_lateness": (
        "30 days",
        "how long after its event time an event may still correct what was said; later ones fail: too_late",
    ),
    "out_of_orderness": ("10 seconds", "how far behind the latest event time the watermark stays"),
    "idle_timeout": ("30 seconds", "an input that is empty for this long stops holding the watermark"),
    "refresh": ("1 minute", "how often segment and trait files are read again"),
    "write_every": ("2 seconds", "how often a local output is updated"),
}
_AT_LEAST_US = {"idle_timeout": 1, "refresh": _SECOND_US, "write_every": 100_000}


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """See docs/live.md. Durations in microseconds.

    `journal` is None where the command line names none, `shelves` 0. `segments` and `traits` are the folders that
    definitions are read from again; "" for none. `archive`: whether events that have settled are kept.
    """

    allowed_lateness_us: int = 30 * 86_400 * _SECOND_US
    out_of_orderness_us: int = 10 * _SECOND_US
    idle_timeout_us: int = 30 * _SECOND_US
    refresh_us: int = 60 * _SECOND_US
    write_every_us: int = 2 * _SECOND_US
    journal: str | None = None
    kafka_settings: dict[str, str] = field(default_factory=dict)
    kafka_readers: int = 1
    shelves: int = 0
    archive: bool = True
    segments: str = ""
    traits: str = ""

    def journal_folder(self, output: Output) -> str:
        """Where what was read is kept for the next start; "" for nowhere."""
        if self.journal is not None:
            return self.journal
        if isinstance(output, BigQueryOutput):
            return ""
        target = local_target(output)
        return str(target.with_name(f"{target.name}.stream"))

    def check_output(self, output: Output) -> Iterator[str]:
        """What is wrong with an output that a stream shall write: what a bounded job or somebody else has there."""
        folder = self.journal_folder(output)
        if folder:
            yield from _foreign_to_journal(Path(folder))
        if isinstance(output, BigQueryOutput) or (Path(folder) / JOURNAL_FILE).exists():
            return
        from pipelines.io.tables.read_back import read_batches  # with Arrow; only for what is right so far

        if local_target(output).exists() and any(batch.num_rows for batch in read_batches(output, EVENTS)):
            yield (
                f"--output {output}: holds the rows of a bounded job, which a stream would replace. "
                "Give another output, with what that job read as a further --input"
            )


def _foreign_to_journal(folder: Path) -> Iterator[str]:
    """A journal's folder belongs to it alone: what a run leaves there, the next one removes."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except FileNotFoundError:
        return
    except OSError as error:
        yield f"--journal {folder}: expected a folder of its own: {error.strerror}"
        return
    if names and JOURNAL_FILE not in names:
        yield f"--journal {folder}: holds other files, {min(names)!r} among them; expected a new or empty folder"


def add_stream_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that only matter for inputs without end."""
    group = parser.add_argument_group("inputs without end (docs/live.md)")
    for name, (default, text) in _DURATIONS.items():
        group.add_argument(f"--{name}", default=default, metavar="DURATION", help=f"{text} (default: %(default)s)")
    group.add_argument(
        "--journal",
        metavar="DIR",
        help="folder that keeps every message for the next start (default: beside a local output; none for BigQuery)",
    )
    group.add_argument(
        "--kafka_settings", metavar="FILE", help="settings of the Kafka client, NAME=VALUE lines (librdkafka's names)"
    )
    group.add_argument(
        "--kafka_readers",
        type=int,
        default=1,
        metavar="N",
        help="parallel readers of a topic, 0: one per partition; more than one needs Flink or Dataflow "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--history",
        choices=("archive", "drop"),
        default="archive",
        help="what becomes of events that are older than --allowed_lateness and --stitch_window together: kept in a "
        "state that is read only when a profile needs its past, or gone for good (default: %(default)s)",
    )
    group.add_argument(
        "--shelves",
        type=int,
        default=0,
        metavar="N",
        help="into how many parts each stage's state is cut: the most workers that can share its work. A running job "
        f"keeps its number (default: {DEFAULT_BUCKETS}; {LOCAL_SHELVES} on a local runner)",
    )


def read_stream_options(known: argparse.Namespace, problems: list[str]) -> StreamOptions:
    """What the command line says; what is wrong with it is added to `problems`."""
    durations: dict[str, Any] = {f"{name}_us": _duration(name, getattr(known, name), problems) for name in _DURATIONS}
    if known.kafka_readers < 0:
        problems.append(f"--kafka_readers {known.kafka_readers}: expected 0 or more")
    if known.shelves < 0:
        problems.append(f"--shelves {known.shelves}: expected 1 or more, or 0 for the default")
    settings = dict(_settings(known.kafka_settings, problems)) if known.kafka_settings else {}
    return StreamOptions(
        **durations,
        journal=known.journal,
        kafka_settings=settings,
        kafka_readers=known.kafka_readers,
        shelves=known.shelves,
        archive=known.history == "archive",
        segments=str(Path(known.segments).absolute()),
        traits=str(Path(known.traits).absolute()) if known.traits else "",
    )


def _duration(name: str, text: str, problems: list[str]) -> int:
    duration_us = checked(problems, lambda: read_duration(name, text, _DURATIONS[name][0]))
    if duration_us is None:
        return 0
    if duration_us < _AT_LEAST_US.get(name, 0):
        problems.append(f"--{name} {text!r}: expected at least {_AT_LEAST_US[name] / _SECOND_US:g} seconds")
    return duration_us


def _settings(path: str, problems: list[str]) -> Iterator[tuple[str, str]]:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError as error:
        problems.append(f"--kafka_settings {path}: {error.strerror}")
        return
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        name, equals, value = text.partition("=")
        if not text or text.startswith("#"):
            continue
        if equals:
            yield name.strip(), value.strip()
        else:  # the line may hold a password, so it is not shown
            problems.append(f"--kafka_settings {path}: line {number}: expected NAME=VALUE")
