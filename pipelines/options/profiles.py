"""Options of the jobs: parsed once, checked before anything starts, into one typed value.

Tidemark's own options are read here; the rest of the command line are Beam's. Whatever is wrong ends in `UsageError`,
which says what was given and what was expected: exit status 2, nothing written.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from apache_beam.options.pipeline_options import PipelineOptions
from rapidfuzz import process

from pipelines.io.cache.location import CacheError, CacheLocation, parse_cache
from pipelines.io.locations import InputError, InputLocation, check_input, parse_inputs
from pipelines.io.outputs import BigQueryOutput, Output, OutputError, check_output, parse_output
from pipelines.options.stream import StreamOptions, add_stream_arguments, read_stream_options
from schemas.tracking_plan import TrackingPlan, load_tracking_plan
from schemas.tracking_plan_files import SchemaErrors
from transforms.identity.aliases import DEFAULT_MAX_MERGES
from transforms.parse import BLOCKED_IDENTIFIERS, DEFAULT_MAX_EVENT_BYTES, EventParser
from transforms.segments.language import ast
from transforms.segments.language.definitions import load_definitions
from transforms.segments.language.errors import DefinitionErrors
from transforms.segments.language.literals import parse_duration, parse_instant

Result = TypeVar("Result")


class UsageError(Exception):
    """The arguments, a segment, a trait or a schema are wrong; the text is for the person who gave them."""


@dataclass(frozen=True, slots=True)
class ProfilesOptions:
    """What `python -m pipelines.profiles` was asked to do. Instants and durations in microseconds."""

    inputs: tuple[InputLocation, ...]
    output: Output
    definitions: ast.Definitions
    plan: TrackingPlan
    as_of: int | None
    unplanned: Literal["accept", "fail"]
    blocked_identifiers: frozenset[str]
    max_event_bytes: int
    stitch_window_us: int
    max_merges: int
    verbose: bool
    warnings: tuple[str, ...]
    beam_arguments: tuple[str, ...]
    stream: StreamOptions = field(default_factory=StreamOptions)
    cache: CacheLocation | None = None

    def parser(self) -> EventParser:
        """The parser that every input of the job goes through."""
        return EventParser(self.plan, self.blocked_identifiers, self.unplanned, self.max_event_bytes)


def profiles_argument_parser() -> argparse.ArgumentParser:
    """The command line of `python -m pipelines.profiles`."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.profiles",
        description="Turn customer events into unified profiles and exact segment memberships.",
        epilog="Any option of Apache Beam may follow, --runner among them (default: a local runner that needs no "
        "download). Exit status: 0 done, 1 the job failed, 2 the arguments or a segment are wrong (nothing was "
        "written).",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_source_arguments(parser)
    parser.add_argument("--segments", required=True, metavar="DIR", help="folder of segment files (docs/segments.md)")
    parser.add_argument("--traits", metavar="DIR", help="folder of computed trait files (docs/segments.md)")
    parser.add_argument(
        "--output",
        required=True,
        metavar="LOCATION",
        help="duckdb:PATH, files:DIR (Parquet) or bigquery:PROJECT.DATASET",
    )
    parser.add_argument(
        "--create_tables",
        choices=("true", "false"),
        default="true",
        help="BigQuery: create what is missing and add columns; false: change nothing, refuse (default: true)",
    )
    parser.add_argument(
        "--cache",
        metavar="LOCATION",
        help="keep who is in which segment in Redis, too: redis://HOST:PORT/DB (docs/cache.md)",
    )
    parser.add_argument("--verbose", action="store_true", help="log what Beam does, and where in the code a job failed")
    add_stream_arguments(parser)
    return parser


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """What every command that reads events takes."""
    parser.add_argument(
        "--input",
        action="append",
        required=True,
        metavar="LOCATION",
        help="where events come from; may be given several times. A file pattern or folder (.ndjson .jsonl .json .avro "
        ".parquet, also .gz), watch:PATTERN, pubsub:projects/P/subscriptions/S, kafka:HOST:PORT/TOPIC, duckdb:PATH, "
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


def parse_profiles_options(arguments: Sequence[str]) -> ProfilesOptions:
    """Reads and checks the command line, the tracking plan and all definitions; touches the output's folder only.

    Raises:
        UsageError: with everything that is wrong.
    """
    parser = profiles_argument_parser()
    known, rest, missing = _parse_arguments(parser, arguments)
    problems: list[str] = list(_unknown_arguments(parser, rest))
    if missing:
        raise UsageError("\n\n".join([*problems, f"{', '.join(missing)}: required; --help tells all options"]))
    plan = _checked(problems, lambda: load_tracking_plan(known.schemas))
    loaded = _checked(problems, lambda: load_definitions(known.segments, known.traits, plan))
    inputs = _checked(problems, lambda: parse_inputs(known.input))
    for location in inputs or ():
        _checked(problems, functools.partial(check_input, location))
    output = _checked(problems, lambda: parse_output(known.output, create_tables=known.create_tables == "true"))
    as_of = _checked(problems, lambda: _as_of(known.as_of))
    stitch_window_us = _checked(problems, lambda: _duration(known.stitch_window))
    problems += [
        f"--{name} {getattr(known, name)}: expected a number of at least 1"
        for name in ("max_event_bytes", "max_merges")
        if getattr(known, name) < 1
    ]
    if as_of is not None and inputs is not None and not all(location.bounded for location in inputs):
        problems.append(
            "--as_of: an input without end has none, it follows the watermark; expected bounded inputs only"
        )
    stream = read_stream_options(known, problems)
    cache = None if known.cache is None else _checked(problems, lambda: parse_cache(known.cache))
    if not problems and output is not None and inputs is not None:
        bounded = all(one.bounded for one in inputs)
        _checked(problems, lambda: check_output(output, bounded=bounded))
        if not problems and not bounded:
            problems += stream.check_output(output)
        if cache is not None and not bounded and isinstance(output, BigQueryOutput):
            problems.append(f"--cache: a stream into {output} has none; expected a local output, or bounded inputs")
    if problems or plan is None or loaded is None or inputs is None or output is None or stitch_window_us is None:
        raise UsageError("\n\n".join(problems))
    return ProfilesOptions(
        inputs=inputs,
        output=output,
        definitions=loaded.definitions,
        plan=plan,
        as_of=as_of,
        unplanned=known.unplanned,
        blocked_identifiers=_blocked(known.blocked_identifiers),
        max_event_bytes=known.max_event_bytes,
        stitch_window_us=stitch_window_us,
        max_merges=known.max_merges,
        verbose=known.verbose,
        warnings=tuple(loaded.warnings),
        beam_arguments=tuple(rest),
        stream=stream,
        cache=cache,
    )


def _parse_arguments(
    parser: argparse.ArgumentParser, arguments: Sequence[str]
) -> tuple[argparse.Namespace, list[str], list[str]]:
    """What was given, what is left, and what is missing: argparse alone would not say that `--sgments` is misspelt."""
    required = [action for action in parser._actions if action.required]
    for action in required:
        action.required = False
    known, rest = parser.parse_known_args(arguments)
    return known, rest, [action.option_strings[0] for action in required if getattr(known, action.dest) is None]


def _checked(problems: list[str], read: Callable[[], Result]) -> Result | None:
    """What `read` gives; None, and its error among the problems, where it refuses."""
    try:
        return read()
    except (CacheError, DefinitionErrors, InputError, OutputError, SchemaErrors, UsageError) as error:
        problems.append(str(error))
        return None


def _as_of(text: str | None) -> int | None:
    try:
        return None if text is None else parse_instant(text, needs_zone=True)
    except ValueError:
        raise UsageError(
            f"--as_of {text!r}: expected an ISO 8601 date, or date-time with a zone, for example 2026-06-30T12:00:00Z"
        ) from None


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError:
        raise UsageError(f"--stitch_window {text!r}: expected a duration, for example '30 days'") from None


def _blocked(text: str | None) -> frozenset[str]:
    return BLOCKED_IDENTIFIERS if text is None else frozenset(("", *text.split(",")))


def _unknown_arguments(parser: argparse.ArgumentParser, rest: Sequence[str]) -> Iterator[str]:
    """What is neither an option of the command's own nor one of Beam's."""
    beam_parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(beam_parser)
    _, unknown = beam_parser.parse_known_args(list(rest))
    known = [flag for one in (parser, beam_parser) for action in one._actions for flag in action.option_strings]
    for before, argument in zip(["", *unknown], unknown, strict=False):
        if not argument.startswith("-") and before.startswith("--"):
            continue  # the value of one that there is not
        name = argument.partition("=")[0]
        near = process.extractOne(name, known, score_cutoff=70) if name.startswith("-") else None
        hint = f"; did you mean {near[0]}?" if near else ""
        yield f"{name}: there is no such option{hint}"
