"""`python -m pipelines.pull`: the rows of a REST API as events, each row once in its latest version."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from pipelines.io.http.client import ApiClient, RequestError
from pipelines.io.pull.puller import PullCounts, Puller
from pipelines.io.pull.state import PullState, StateError
from pipelines.io.targets.location import parse_target, shown_target
from pipelines.io.targets.target import EventTarget, TargetError
from pipelines.words.pull import PullProgress, summary_lines
from schemas.errors import DefinitionErrors
from transforms.pull.definition import SourceDefinition
from transforms.pull.paging import PagingError
from transforms.pull.source_file import load_source
from transforms.segments.language.literals import parse_instant


def argument_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.pull",
        description="Read a REST API into events: each row once, in its latest version.",
        epilog="Exit status: 0 done, 1 the pull failed (started again, it goes on), 2 wrong arguments or a mistake in "
        "the source's file.",
        allow_abbrev=False,
    )
    parser.add_argument("--source", required=True, type=Path, metavar="FILE", help="sources/NAME.yaml (docs/pull.md)")
    parser.add_argument(
        "--events",
        required=True,
        metavar="LOCATION",
        help="where events go: spool:DIR, files:DIR, kafka:HOST:PORT/TOPIC, pubsub:projects/P/topics/T, "
        "amqp://USER:PASSWORD@HOST/VHOST?queue=NAME, kinesis:REGION/STREAM",
    )
    parser.add_argument(
        "--since",
        metavar="INSTANT",
        help="ask for what changed from this instant on, ISO 8601 (default: from the last pull on, less the overlap)",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="what was pulled before (default: beside the source's file, NAME.state)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    try:
        known = argument_parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    except SystemExit as end:  # argparse has said what is wrong, or what was asked for
        return int(end.code or 0)
    problems: list[str] = []
    definition, target, since_us = _checked(known, problems)
    if problems or definition is None or target is None:
        print("\n\n".join(problems), file=sys.stderr)
        return 2
    path = known.state or known.source.with_suffix(".state")
    try:
        state = PullState(path, definition.name)
    except (StateError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    with closing(state), closing(target):
        return _pull(definition, target, state, since_us, shown_target(known.events))


def _checked(
    known: argparse.Namespace, problems: list[str]
) -> tuple[SourceDefinition | None, EventTarget | None, int | None]:
    """What the arguments mean; what is wrong with them is added to `problems`."""
    definition, target, since_us = None, None, None
    try:
        definition = load_source(known.source, os.environ)
    except DefinitionErrors as error:
        problems.append(str(error))
    try:
        since_us = None if known.since is None else parse_instant(known.since, needs_zone=True)
    except ValueError:
        problems.append(
            f"--since {known.since!r}: expected an ISO 8601 date, or date-time with a zone, such as 2026-06-30T12:00Z"
        )
    if (
        definition is not None
        and since_us is not None
        and (definition.changed is None or not definition.changed.parameter)
    ):
        problems.append(
            f"--since: {known.source} has no `changed` with a `parameter`, so nothing less can be asked for"
        )
    try:
        target = parse_target(known.events)
        if not problems:
            target.check()
    except TargetError as error:
        problems.append(str(error) if str(error).startswith("--events") else f"--events: {error}")
    return definition, target, since_us


def _pull(definition: SourceDefinition, target: EventTarget, state: PullState, since_us: int | None, shown: str) -> int:
    progress = PullProgress(definition.name)
    client = ApiClient(definition.url, definition.auth, definition.headers, tell=progress.wait)
    puller = Puller(definition, client, state, target, now_us=lambda: time.time_ns() // 1_000, tell=progress)
    counts: PullCounts = puller.counts
    failure: str | None = None
    with closing(client):
        try:
            puller.pull(since_us)
        except (RequestError, PagingError, TargetError) as error:
            failure = str(error)
        except KeyboardInterrupt:
            failure = "Stopped."
    progress.clear()
    for line in summary_lines(counts, client.requests, shown, state.cursor_us, definition):
        print(line)
    if failure is not None:
        print(f"{failure} Started again, it goes on: what was sent is not sent twice.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
