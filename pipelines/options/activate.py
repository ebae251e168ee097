"""Options of `python -m pipelines.activate`, checked before anything is sent."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.activation.planning import Request
from pipelines.io.files.parquet_store import known_manifest
from pipelines.io.job_record import read_job
from pipelines.io.ledger import ledger_of
from pipelines.io.outputs import (
    BigQueryOutput,
    DuckDBOutput,
    FilesOutput,
    Output,
    StoreOutput,
    local_target,
    parse_output,
)
from pipelines.words.log import add_log_argument
from schemas.errors import UsageError
from transforms.activation.destination import Destination
from transforms.activation.read_destinations import read_destinations
from transforms.segments.language.definitions import load_definitions
from transforms.segments.language.errors import closest
from transforms.segments.language.literals import parse_instant

FOLLOW_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ActivateOptions:
    """What the command was asked to do. `follow_seconds` None: once."""

    tables: Output
    ledger: DuckDBOutput | BigQueryOutput
    destinations: tuple[Destination, ...]
    request: Request
    dry_run: bool
    follow_seconds: float | None
    warnings: tuple[str, ...] = ()


def activate_argument_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.activate",
        description="Make each destination hold exactly the members that it should.",
        epilog="Exit status: 0 every destination is as wanted, 1 something is pending (run it again), 2 wrong "
        "arguments or a mistake in a destination's file.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--input",
        required=True,
        metavar="TABLES",
        help="a job's tables: duckdb:PATH, files:DIR or bigquery:PROJECT.DATASET",
    )
    parser.add_argument(
        "--destinations", required=True, metavar="DIR", help="folder of destination files (docs/activation.md)"
    )
    parser.add_argument(
        "--ledger",
        metavar="LOCATION",
        help="duckdb:PATH or bigquery:PROJECT.DATASET (default: beside the tables)",
    )
    parser.add_argument("--dry_run", action="store_true", help="say what would be sent, and send nothing")
    parser.add_argument("--only", action="append", metavar="NAME", help="this destination; may be given several times")
    parser.add_argument(
        "--follow",
        nargs="?",
        type=float,
        const=FOLLOW_SECONDS,
        metavar="SECONDS",
        help=f"go on, and look at the tables so often (default: {FOLLOW_SECONDS:.0f})",
    )
    parser.add_argument(
        "--reconcile", action="store_true", help="ask each destination what it holds, and put right what differs"
    )
    parser.add_argument(
        "--max_leaving",
        default="50 %",
        metavar="SHARE",
        help="stop a destination if more of a segment of 20 or more would leave it (default: 50 %%)",
    )
    parser.add_argument(
        "--force", action="store_true", help="let them leave, and take the tables whatever their job is doing"
    )
    parser.add_argument(
        "--at",
        metavar="INSTANT",
        help="members at this instant, ISO 8601 with a zone, or `now` (default: the instant that the tables are of)",
    )
    parser.add_argument(
        "--segments", metavar="DIR", help="segment files, for the consent they ask for (default: as the job noted it)"
    )
    add_log_argument(parser)
    return parser


def parse_activate_options(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> ActivateOptions:
    """Reads and checks the command line, the destinations and what the job noted.

    Raises:
        TidemarkError: an argument or a file is wrong.
        SystemExit: argparse has said what is.
    """
    known = activate_argument_parser().parse_args(arguments)
    tables = parse_output(known.input)
    _check_tables(tables)
    consent, warnings = _consent(tables, known.segments, Path(known.destinations))
    variables = None if known.dry_run else (os.environ if environment is None else environment)
    names = None if consent is None else tuple(consent)
    destinations = _chosen(read_destinations(known.destinations, variables, names), known.only)
    request = Request(
        at_us=_instant(known.at),
        consent=consent or {},
        reconcile=known.reconcile,
        max_leaving=_share(known.max_leaving),
        force=known.force,
    )
    if known.follow is not None and known.follow <= 0:
        raise UsageError(f"--follow {known.follow}: expected a number of seconds above 0")
    ledger = ledger_of(tables) if known.ledger is None else _ledger(known.ledger)
    return ActivateOptions(tables, ledger, destinations, request, known.dry_run, known.follow, tuple(warnings))


def _check_tables(tables: Output) -> None:
    if isinstance(tables, StoreOutput):
        known_manifest(tables)
    elif not isinstance(tables, BigQueryOutput) and not local_target(tables).exists():
        raise UsageError(f"--input {tables}: there is no such place; the main job writes it")


def _consent(
    tables: Output, segments: str | None, destinations: Path
) -> tuple[dict[str, tuple[str, ...]] | None, list[str]]:
    """The purposes that each segment asks for: by the files, else as the job noted it, else by a folder beside."""
    record = read_job(tables)
    if segments is None and record is not None and record.consent:
        return dict(record.consent), []
    beside = destinations.absolute().parent / "segments"
    folder = segments or (str(beside) if beside.is_dir() else None)
    if folder is None:
        told = "which consent the segments ask for is not known: no job has noted it; --segments DIR tells it"
        return None, [f"{tables}: {told}"]
    loaded = load_definitions(folder)
    return {one.name: tuple(one.consent) for one in loaded.definitions.segments}, []


def _chosen(destinations: tuple[Destination, ...], only: Sequence[str] | None) -> tuple[Destination, ...]:
    names = [destination.name for destination in destinations]
    for name in only or ():
        if name not in names:
            near = closest(name, names)
            hint = f"; did you mean {near}?" if near else f"; there are {', '.join(names) or 'none'}"
            raise UsageError(f"--only {name}: there is no such destination{hint}")
    return tuple(one for one in destinations if only is None or one.name in only)


def _ledger(text: str) -> DuckDBOutput | BigQueryOutput:
    place = parse_output(text) if ":" in text else DuckDBOutput(text)
    if isinstance(place, FilesOutput | StoreOutput):
        raise UsageError(f"--ledger {text}: expected duckdb:PATH or bigquery:PROJECT.DATASET")
    return place


def _instant(text: str | None) -> int | None:
    if text is None:
        return None
    if text == "now":
        return time.time_ns() // 1_000
    try:
        return parse_instant(text, needs_zone=True)
    except ValueError:
        raise UsageError(f"--at {text!r}: expected an ISO 8601 instant with a zone, or now") from None


def _share(text: str) -> float:
    """50, 50 % and 0.5 are the same."""
    try:
        number = float(text.replace("%", "").strip())
    except ValueError:
        number = -1.0
    share = number / 100 if "%" in text or number > 1 else number
    if not 0 <= share <= 1:
        raise UsageError(f"--max_leaving {text}: expected a share from 0 to 100 %")
    return share
