"""Options of `python -m pipelines.preview`, and the definitions that it works on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.options.events import EventOptions, add_event_arguments, check_numbers, read_event_options
from schemas.errors import DefinitionErrors, Problem, UsageError
from transforms.explain.question import SAMPLE_SIZE, Rule
from transforms.segments.language import ast
from transforms.segments.language.definition_files import SUFFIXES
from transforms.segments.language.definitions import load_definitions, load_segment_file
from transforms.segments.language.resolve import needed_definitions


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewOptions(EventOptions):
    """What was asked. `profile`: an id as given."""

    segment: Path
    against: Path | None
    traits: Path | None
    profile: str | None
    sample: int
    json: bool
    watch: bool


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
    add_event_arguments(parser)
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
        help="tell one profile's story: user:ID, anon:ID or account:ID (or the bare id), what it did, every change, "
        "why, what next",
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
    events = read_event_options(known, problems)
    endless = [] if events is None else [location.text for location in events.inputs if not location.bounded]
    problems += [f"--input {text}: it has no end; expected files, duckdb: or bigquery:" for text in endless]
    check_numbers(known, ("sample",), problems)
    if problems or events is None:
        raise UsageError("\n\n".join(problems))
    return PreviewOptions(
        **{name: getattr(events, name) for name in EventOptions.__slots__},
        segment=known.segment,
        against=known.against,
        traits=known.traits if known.traits is not None else _traits_beside(known.segment),
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
    if loaded is not None and against is not None and loaded.segment.of != against.segment.of:
        problems.append(DefinitionErrors([_of_others(against.segment, loaded.segment)]))
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
    beside = (other.name for other in folder.about(segment.of).segments)
    return needed_definitions(folder, frozenset((segment.name, *beside))), []


def _of_others(against: ast.SegmentDefinition, segment: ast.SegmentDefinition) -> Problem:
    message = f"this segment is of {against.of}, and {segment.name} is of {segment.of}"
    return Problem(against.file, ast.Position(), message, "", "another version of the same segment")


def _traits_beside(segment: Path) -> Path | None:
    folder = segment.absolute().parent.parent / "traits"
    return folder if folder.is_dir() else None
