"""Arguments that the commands over a job's tables share, checked before anything starts."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TypeVar

from pipelines.io.outputs import Output, parse_output
from pipelines.io.write_events import EventPlace, parse_event_place
from schemas.errors import OutputError, UsageError
from transforms.segments.language.errors import closest
from transforms.segments.language.literals import parse_duration, parse_instant

Result = TypeVar("Result")


class CommandParser(argparse.ArgumentParser):
    """A command line whose errors say "did you mean"."""

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The options.

        Raises:
            UsageError: with everything that there is no option for, or what argparse refuses.
        """
        known, rest = self.parse_known_args(list(arguments))
        names = [flag for action in self._actions for flag in action.option_strings]
        problems = []
        for argument in rest:
            name = argument.partition("=")[0]
            near = closest(name, names) if name.startswith("-") else ""
            problems.append(f"{name}: there is no such option" + (f"; did you mean {near}?" if near else ""))
        if problems:
            raise UsageError("\n\n".join(problems))
        return known


class Problems(list[str]):
    """What is wrong with a command line, collected so that it can be told at once."""

    def checked(self, read: Callable[[], Result]) -> Result | None:
        """What `read` gives; None, and its error among the problems, where it refuses."""
        try:
            return read()
        except (UsageError, OutputError) as error:
            self.append(str(error))
            return None

    def end(self) -> None:
        """Raises UsageError if there are any."""
        if self:
            raise UsageError("\n\n".join(self))


def add_tables_argument(parser: argparse.ArgumentParser) -> None:
    """`--input`: the tables of a job."""
    parser.add_argument(
        "--input",
        required=True,
        metavar="TABLES",
        help="a job's tables: duckdb:PATH, files:DIR or bigquery:PROJECT.DATASET",
    )


def add_ledger_argument(parser: argparse.ArgumentParser, table: str) -> None:
    """`--ledger`: where the command's own table is."""
    parser.add_argument(
        "--ledger",
        metavar="LOCATION",
        help=f"where the table {table} is kept: duckdb:PATH or bigquery:PROJECT.DATASET (default: beside the tables, "
        "<input>.ledger.duckdb, or in their dataset)",
    )


def add_events_argument(parser: argparse.ArgumentParser) -> None:
    """`--events`: where the events go."""
    parser.add_argument(
        "--events",
        metavar="LOCATION",
        help="where the events go: an .ndjson file, spool:DIR (read with --input watch:DIR), or kafka:, pubsub:, "
        "amqp:, kinesis: as pipelines.pull takes them",
    )


def tables_of(text: str) -> Output:
    """The `--input`. Raises OutputError: it has none of the forms."""
    try:
        return parse_output(text)
    except OutputError as error:
        raise OutputError(str(error).replace("output ", "--input ", 1)) from None


def events_of(text: str) -> EventPlace:
    """The `--events`. Raises UsageError: it has none of the forms."""
    return parse_event_place(text)


def instant_of(name: str, text: str) -> int:
    """An instant in microseconds. Raises UsageError: it is none."""
    try:
        return parse_instant(text, needs_zone=True)
    except ValueError:
        raise UsageError(
            f"--{name} {text!r}: expected an ISO 8601 date, or date-time with a zone, for example 2026-06-30T12:00:00Z"
        ) from None


def duration_of(name: str, text: str) -> int:
    """A duration in microseconds, above 0. Raises UsageError: it is none."""
    try:
        duration = parse_duration(text)
    except ValueError:
        duration = 0
    if duration <= 0:
        raise UsageError(f"--{name} {text!r}: expected a duration, for example '90 days'")
    return duration


def share_of(name: str, text: str) -> float:
    """A number from 0 to 1. Raises UsageError: it is none."""
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"--{name} {text!r}: expected a number from 0 to 1")
    return share


def number_of(name: str, text: str) -> int:
    """A whole number of at least 1. Raises UsageError: it is none."""
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--{name} {text}: expected a number of at least 1")
    return int(text)
