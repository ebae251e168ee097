"""Options of every command that reads events: where they come from, how they are checked, whose they are."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from pipelines.io.locations import InputLocation, parse_inputs
from schemas.errors import TidemarkError, UsageError
from schemas.tracking_plan import TrackingPlan, load_tracking_plan
from transforms.identity.aliases import DEFAULT_MAX_MERGES
from transforms.parse import BLOCKED_IDENTIFIERS, DEFAULT_MAX_EVENT_BYTES, EventParser
from transforms.parse.violations import EPOCH_US, Epoch
from transforms.segments.language.literals import parse_duration, parse_instant

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class EventOptions:
    """Which events, and how they are read. Instants and durations in microseconds. `tells_names`: see `EventParser`."""

    inputs: tuple[InputLocation, ...]
    plan: TrackingPlan
    as_of: int | None
    unplanned: Literal["accept", "fail"]
    epoch: Epoch | None
    violations: Literal["fail", "drop"]
    blocked_identifiers: frozenset[str]
    max_event_bytes: int
    stitch_window_us: int
    max_merges: int
    tells_names: bool = True

    def parser(self) -> EventParser:
        """The parser that every input goes through."""
        return EventParser(
            self.plan,
            self.blocked_identifiers,
            self.unplanned,
            self.max_event_bytes,
            self.epoch,
            self.violations,
            self.tells_names,
        )


def add_event_arguments(parser: argparse.ArgumentParser) -> None:
    """What every command that reads events takes."""
    parser.add_argument(
        "--input",
        action="append",
        required=True,
        metavar="LOCATION",
        help="where events come from; may be given several times. A file pattern or folder (.ndjson .jsonl .json .avro "
        ".parquet, also .gz), watch:PATTERN, pubsub:projects/P/subscriptions/S, kafka:HOST:PORT/TOPIC, "
        "amqp://USER:PASSWORD@HOST/VHOST?queue=NAME, kinesis:REGION/STREAM, duckdb:PATH, "
        "bigquery:PROJECT.DATASET.events (docs/sources.md)",
    )
    parser.add_argument(
        "--as_of",
        metavar="INSTANT",
        help="tell everything as of this instant, ISO 8601 with a zone (default: the latest event)",
    )
    parser.add_argument("--schemas", metavar="DIR", help="schema files that add to the tracking plan (docs/events.md)")
    parser.add_argument(
        "--unplanned",
        choices=("accept", "fail"),
        default="accept",
        help="track events that no schema names (default: accept)",
    )
    parser.add_argument(
        "--epoch",
        choices=tuple(EPOCH_US),
        help="what a bare number as an instant counts since 1970 (default: such an event fails)",
    )
    parser.add_argument(
        "--violations",
        choices=("fail", "drop"),
        default="fail",
        help="an event whose properties break their schema fails, or is kept without those properties (default: fail)",
    )
    parser.add_argument(
        "--blocked_identifiers",
        metavar="A,B,...",
        help="identifier values that identify nobody (default: "
        f"{','.join(sorted(BLOCKED_IDENTIFIERS - {''}))} and the empty text)",
    )
    parser.add_argument(
        "--max_event_bytes",
        type=int,
        default=DEFAULT_MAX_EVENT_BYTES,
        metavar="N",
        help="larger events fail (default: %(default)s)",
    )
    parser.add_argument(
        "--stitch_window",
        default="30 days",
        metavar="DURATION",
        help="how long before a sign-in anonymous events still become the user's (default: %(default)s)",
    )
    parser.add_argument(
        "--max_merges",
        type=int,
        default=DEFAULT_MAX_MERGES,
        metavar="N",
        help="how many profiles aliases may put into one (default: %(default)s)",
    )


def read_event_options(known: argparse.Namespace, problems: list[str]) -> EventOptions | None:
    """What the command line says; what is wrong with it is added to `problems`, and then there may be none."""
    plan = checked(problems, lambda: load_tracking_plan(known.schemas))
    inputs = checked(problems, lambda: parse_inputs(known.input))
    as_of = checked(problems, lambda: _as_of(known.as_of))
    stitch_window_us = checked(problems, lambda: read_duration("stitch_window", known.stitch_window, "30 days"))
    check_numbers(known, ("max_event_bytes", "max_merges"), problems)
    if plan is None or inputs is None or stitch_window_us is None:
        return None
    return EventOptions(
        inputs=inputs,
        plan=plan,
        as_of=as_of,
        unplanned=known.unplanned,
        epoch=known.epoch,
        violations=known.violations,
        blocked_identifiers=_blocked(known.blocked_identifiers),
        max_event_bytes=known.max_event_bytes,
        stitch_window_us=stitch_window_us,
        max_merges=known.max_merges,
    )


def checked(problems: list[str], read: Callable[[], Result]) -> Result | None:
    """What `read` gives; None, and its error among the problems, where it refuses."""
    try:
        return read()
    except TidemarkError as error:
        problems.append(str(error))
        return None


def check_numbers(known: argparse.Namespace, names: tuple[str, ...], problems: list[str]) -> None:
    """Adds to the problems which of the options is below 1."""
    problems += [
        f"--{name} {getattr(known, name)}: expected a number of at least 1"
        for name in names
        if getattr(known, name) < 1
    ]


def read_duration(name: str, text: str, example: str) -> int:
    """An option's duration in microseconds.

    Raises:
        UsageError: it is none.
    """
    try:
        return parse_duration(text)
    except ValueError:
        raise UsageError(f"--{name} {text!r}: expected a duration, for example {example!r}") from None


def _as_of(text: str | None) -> int | None:
    try:
        return None if text is None else parse_instant(text, needs_zone=True)
    except ValueError:
        raise UsageError(
            f"--as_of {text!r}: expected an ISO 8601 date, or date-time with a zone, for example 2026-06-30T12:00:00Z"
        ) from None


def _blocked(text: str | None) -> frozenset[str]:
    return BLOCKED_IDENTIFIERS if text is None else frozenset(("", *text.split(",")))
