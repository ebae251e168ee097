"""Options of `python -m pipelines.preview`, and the definitions that it works on."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pipelines.io.locations import InputError, InputLocation, parse_inputs
from pipelines.options.profiles import UsageError, add_source_arguments
from schemas.tracking_plan import TrackingPlan, load_tracking_plan
from schemas.tracking_plan_files import SchemaErrors
from transforms.explain.mentioned import needed_definitions
from transforms.explain.survey import SAMPLE_SIZE, Rule
from transforms.parse import BLOCKED_IDENTIFIERS, EventParser
from transforms.parse.violations import Epoch
from transforms.segments.language import ast
from transforms.segments.language.definition_files import SUFFIXES
from transforms.segments.language.definitions import load_definitions, load_segment_file
from transforms.segments.language.errors import DefinitionErrors
from transforms.segments.language.literals import parse_duration, parse_instant

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class PreviewOptions:
    """What was asked. Instants and durations in microseconds; `profile`: an id as given."""

    segment: Path
    against: Path | None
    traits: Path | None
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
    profile: str | None
    sample: int
    json: bool
    watch: bool

    def parser(self) -> EventParser:
        """The parser that every input goes through."""
        return EventParser(
            self.plan,
            self.blocked_identifiers,
            self.unplanned,
            self.max_event_bytes,
            self.epoch,
            self.violations,
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """What a preview evaluates.

    `rule.definitions` are those of the whole folder, so that overlaps can be told. `folder`: how many segments it has.
    """

    rule: Rule
    against: Rule | None
    folder: int
    warnings: tuple[str, ...]


def preview_argument_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.preview",
        description="Show who is in a segment, how it has lived, and why, before it is used. Nothing is written.",
        epilog="Exit status: 0 done, 1 the input cannot be read, 2 the arguments or the segment are wrong.",
        allow_abbrev=False,
    )
    parser.add_argument("--segment", required=True, type=Path, metavar="FILE", help="the segment (docs/segments.md)")
    add_source_arguments(parser)
    parser.add_argument("--against", type=Path, metavar="FILE", help="another version of it: who is added and removed")
    parser.add_argument(
        "--traits",
        type=Path,
        metavar="DIR",
        help="folder of computed trait files (default: the folder traits beside the segment's folder, if there is one)",
    )
    parser.add_argument(
        "--profile",
        metavar="ID",
        help="tell one profile's story: user:ID or anon:ID (or the bare id), what it did, every change, why, what next",
    )
    parser.add_argument(
        "--sample",
        type=int,
        default=SAMPLE_SIZE,
        metavar="N",
        help="how many members to show with their reasons (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, with every row of memberships, for machines")
    parser.add_argument("--watch", action="store_true", help="show it again whenever the file is saved, until Ctrl-C")
    return parser


def parse_preview_options(arguments: Sequence[str]) -> PreviewOptions:
    """Reads and checks the command line, apart from the segments.

    Raises:
        UsageError: with everything that is wrong.
    """
    parser = preview_argument_parser()
    known = parser.parse_args(arguments)
    problems: list[str] = []
    plan = _checked(problems, lambda: load_tracking_plan(known.schemas))
    inputs = _checked(problems, lambda: parse_inputs(known.input))
    endless = [location.text for location in inputs or () if not location.bounded]
    problems += [f"--input {text}: it has no end; expected files, duckdb: or bigquery:" for text in endless]
    as_of = _checked(problems, lambda: _instant(known.as_of))
    stitch_window_us = _checked(problems, lambda: _duration(known.stitch_window))
    numbers = {name: getattr(known, name) for name in ("max_event_bytes", "max_merges", "sample")}
    problems += [f"--{name} {n}: expected a number of at least 1" for name, n in numbers.items() if n < 1]
    if problems or plan is None or inputs is None or stitch_window_us is None:
        raise UsageError("\n\n".join(problems))
    blocked = known.blocked_identifiers
    return PreviewOptions(
        segment=known.segment,
        against=known.against,
        traits=known.traits if known.traits is not None else _traits_beside(known.segment),
        inputs=inputs,
        plan=plan,
        as_of=as_of,
        unplanned=known.unplanned,
        epoch=known.epoch,
        violations=known.violations,
        blocked_identifiers=BLOCKED_IDENTIFIERS if blocked is None else frozenset(("", *blocked.split(","))),
        max_event_bytes=known.max_event_bytes,
        stitch_window_us=stitch_window_us,
        max_merges=known.max_merges,
        profile=known.profile,
        sample=known.sample,
        json=known.json,
        watch=known.watch,
    )


def load_rules(options: PreviewOptions) -> Rules:
    """Reads and checks the segment, the one it is held against, and the others in its folder.

    Raises:
        DefinitionErrors: everything that is wrong with the files that are needed.
    """
    problems: list[DefinitionErrors] = []
    loaded = against = None
    try:
        loaded = load_segment_file(options.segment, options.traits, options.plan)
    except DefinitionErrors as errors:
        problems.append(errors)
    if options.against is not None:
        try:
            against = load_segment_file(options.against, options.traits, options.plan)
        except DefinitionErrors as errors:
            problems.append(errors)
    if problems or loaded is None:
        raise DefinitionErrors([problem for errors in problems for problem in errors.problems])
    folder, note = _folder(options, loaded.definitions, loaded.segment)
    return Rules(
        Rule(loaded.segment, folder),
        None if against is None else Rule(against.segment, against.definitions),
        len(folder.segments),
        (*loaded.warnings, *note, *(against.warnings if against is not None else ())),
    )


def _folder(
    options: PreviewOptions, own: ast.Definitions, segment: ast.SegmentDefinition
) -> tuple[ast.Definitions, list[str]]:
    """All segments of the folder, with the traits that they need; without the others where one of them is wrong."""
    if options.segment.suffix.lower() not in SUFFIXES:
        return own, []
    try:
        folder = load_definitions(options.segment.parent, options.traits).definitions
    except DefinitionErrors as errors:
        files = ", ".join(sorted({Path(problem.file).name for problem in errors.problems}))
        return own, [f"no overlaps are shown: other files of the folder have errors ({files})"]
    return needed_definitions(folder, frozenset((segment.name, *(other.name for other in folder.segments)))), []


def _traits_beside(segment: Path) -> Path | None:
    folder = segment.absolute().parent.parent / "traits"
    return folder if folder.is_dir() else None


def _checked(problems: list[str], read: Callable[[], Result]) -> Result | None:
    """What `read` gives; None, and its error among the problems, where it refuses."""
    try:
        return read()
    except (InputError, SchemaErrors, UsageError) as error:
        problems.append(str(error))
        return None


def _instant(text: str | None) -> int | None:
    try:
        return None if text is None else parse_instant(text, needs_zone=True)
    except ValueError as error:
        raise UsageError(f"--as_of: {error}; expected, for example, 2026-06-30T12:00:00Z") from error


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--stitch_window {text!r}: {error}; expected, for example, '30 days'") from error
