"""Options of the jobs: parsed once, checked before anything starts, into one typed value.

Tidemark's own options are read here; the rest of the command line are Beam's. Whatever is wrong ends in `UsageError`,
which says what was given and what was expected: exit status 2, nothing written.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipelines.io.cache.location import CacheLocation, parse_cache
from pipelines.io.check_inputs import check_answers
from pipelines.io.check_outputs import check_output
from pipelines.io.files.beam_files import is_local, use_options
from pipelines.io.outputs import Output, parse_output
from pipelines.options.beam import check_values, runs_here, unknown_options
from pipelines.options.events import EventOptions, add_event_arguments, checked, read_event_options
from pipelines.options.metrics import MetricsOptions, add_metrics_arguments, read_metrics_options
from pipelines.options.stream import StreamOptions, add_stream_arguments, read_stream_options
from pipelines.words.log import add_log_argument
from schemas.errors import UsageError
from transforms.segments.language import ast
from transforms.segments.language.definitions import load_definitions


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilesOptions(EventOptions):
    """What `python -m pipelines.profiles` was asked to do."""

    output: Output
    definitions: ast.Definitions
    verbose: bool
    warnings: tuple[str, ...]
    beam_arguments: tuple[str, ...]
    stream: StreamOptions = field(default_factory=StreamOptions)
    cache: CacheLocation | None = None
    staging: str = ""
    metrics: MetricsOptions = field(default_factory=MetricsOptions)


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
    add_event_arguments(parser)
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
        "--staging",
        metavar="LOCATION",
        help="where the workers of a bounded job put what becomes the tables; if they are on several machines, a "
        "place that all of them see, such as gs://BUCKET/FOLDER (default: Beam's --temp_location if it is such a "
        "place, else a local disk; docs/cluster.md)",
    )
    parser.add_argument(
        "--cache",
        metavar="LOCATION",
        help="keep who is in which segment in Redis, too: redis://HOST:PORT/DB (docs/cache.md)",
    )
    parser.add_argument("--verbose", action="store_true", help="log what Beam does, and where in the code a job failed")
    add_stream_arguments(parser)
    add_metrics_arguments(parser)
    add_log_argument(parser)
    return parser


def parse_profiles_options(arguments: Sequence[str]) -> ProfilesOptions:
    """Reads and checks the command line, the tracking plan and all definitions; touches the output's folder only.

    Raises:
        UsageError: with everything that is wrong.
    """
    parser = profiles_argument_parser()
    known, rest, missing = _parse_arguments(parser, arguments)
    problems: list[str] = list(unknown_options(parser, rest))
    if missing:
        raise UsageError("\n\n".join([*problems, f"{', '.join(missing)}: required; --help tells all options"]))
    staging = _staging(known.staging, rest, problems)
    if not problems and any("://" in place for place in (staging, known.output, *known.input)):
        use_options(rest)  # file systems have options, too
    events = read_event_options(known, problems)
    plan = None if events is None else events.plan
    loaded = checked(problems, lambda: load_definitions(known.segments, known.traits, plan))
    output = checked(problems, lambda: parse_output(known.output, create_tables=known.create_tables == "true"))
    stream = read_stream_options(known, problems)
    bounded = events is None or all(location.bounded for location in events.inputs)
    metrics = read_metrics_options(known, problems, bounded=bounded)
    cache = None if known.cache is None else checked(problems, lambda: parse_cache(known.cache))
    if not problems:
        check_values(rest)
    if events is not None and output is not None:
        _check_together(events, output, stream, problems)
    if problems or loaded is None or events is None or output is None:
        raise UsageError("\n\n".join(problems))
    return ProfilesOptions(
        **{name: getattr(events, name) for name in EventOptions.__slots__ if name != "tells_names"},
        tells_names=runs_here(rest),
        output=output,
        definitions=loaded.definitions,
        verbose=known.verbose,
        warnings=tuple(loaded.warnings),
        beam_arguments=tuple(rest),
        stream=stream,
        cache=cache,
        staging=staging,
        metrics=metrics,
    )


def _staging(given: str | None, rest: Sequence[str], problems: list[str]) -> str:
    """The `--staging`, or Beam's folder for temporary files where that is no local one."""
    if given is None:
        named = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        named.add_argument("--temp_location", default="")
        temporary = str(named.parse_known_args(list(rest))[0].temp_location)
        return "" if is_local(temporary) else temporary
    if not given or given.partition(":")[0] in ("files", "duckdb", "bigquery"):
        problems.append(f"--staging {given!r}: expected a folder, such as gs://BUCKET/FOLDER")
    return given


def _check_together(events: EventOptions, output: Output, stream: StreamOptions, problems: list[str]) -> None:
    """What is wrong only in company; the output is looked at when nothing else is wrong."""
    bounded = all(location.bounded for location in events.inputs)
    if events.as_of is not None and not bounded:
        problems.append(
            "--as_of: an input without end has none, it follows the watermark; expected bounded inputs only"
        )
    if not problems:
        checked(problems, lambda: check_answers(events.inputs, stream.kafka_settings))
    if not problems:
        checked(problems, lambda: check_output(output, events.inputs, bounded=bounded))
    if not problems and not bounded:
        problems += stream.check_output(output)


def _parse_arguments(
    parser: argparse.ArgumentParser, arguments: Sequence[str]
) -> tuple[argparse.Namespace, list[str], list[str]]:
    """What was given, what is left, and what is missing: argparse alone would not say that `--sgments` is misspelt."""
    required = [action for action in parser._actions if action.required]
    for action in required:
        action.required = False
    known, rest = parser.parse_known_args(arguments)
    return known, rest, [action.option_strings[0] for action in required if getattr(known, action.dest) is None]
