"""`python -m pipelines.content`: a block of e-mail, written once in Liquid, in a platform's syntax or for a person."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

from pipelines.io.outputs import Output, parse_output
from pipelines.io.tables.people import read_names, read_people
from pipelines.io.tables.query import open_tables
from pipelines.words.content_page import content_page
from pipelines.words.content_text import branch_lines, seen_branches
from pipelines.words.progress import Progress
from schemas.errors import DefinitionErrors, OutputError, SchemaErrors
from schemas.tracking_plan import load_tracking_plan
from transforms.activation.read_destinations import fields_of
from transforms.content.block import Body
from transforms.content.known import Known, unknown_names
from transforms.content.platforms import PLATFORMS, say_block
from transforms.content.read import read_block
from transforms.content.render import render
from transforms.segments.language.definitions import load_definitions
from transforms.segments.language.errors import SourceFile, closest
from transforms.segments.language.yaml_source import read_source

_EPILOG = """\
One of --platform and --input is needed; with both, names are checked against the tables before anything is said.
Exit status: 0 done; 1 the tables cannot be read, or a file not be written; 2 wrong arguments, a mistake in the
template, a name that does not exist, or something that the platform cannot say."""


@dataclass(frozen=True, slots=True)
class _Block:
    source: SourceFile
    body: Body
    known: Known
    fields: dict[str, str]


class ContentError(ValueError):
    """An argument that cannot be used, and what was expected."""


def argument_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.content",
        description="Say a block of e-mail in a platform's own syntax, or render it for a person of a job's tables.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    option = parser.add_argument
    option("--template", required=True, type=Path, metavar="FILE", help="the block, in Liquid (docs/content.md)")
    option("--platform", metavar="NAME", help="whose syntax: " + ", ".join(PLATFORMS))
    option("--output", type=Path, metavar="FILE", help="where to write the result (default: standard output)")
    option("--input", metavar="TABLES", help="a job's tables: duckdb:PATH, files:DIR or bigquery:PROJECT.DATASET")
    option("--profile", metavar="ID", help="render the block for this profile of --input")
    option("--preview", type=Path, metavar="FILE", help="write a page (.html): a few people, and who sees which branch")
    option("--destination", type=Path, metavar="FILE", help="a destination whose fields: names the platform's fields")
    option(
        "--segments",
        type=Path,
        metavar="DIR",
        default=Path("segments"),
        help="segments that exist (default: %(default)s)",
    )
    option(
        "--traits",
        type=Path,
        metavar="DIR",
        default=Path("traits"),
        help="computed traits that exist (default: %(default)s)",
    )
    option("--schemas", metavar="DIR", help="schema files that add to the tracking plan, whose traits exist too")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    given = argument_parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    try:
        _check(given)
        source = _read(given.template)
        known = _defined(given.segments, given.traits)
        block = _Block(source, read_block(source), known, read_fields(given.destination))
        if given.input is None:
            _refuse_unknown(block.body, known, source)
            _doubt_traits(block.body, source, load_tracking_plan(given.schemas).trait_names())
            return _write(say_block(block.body, given.platform, source, block.fields), given.output)
        place = parse_output(given.input)
    except (ContentError, DefinitionErrors, OutputError, SchemaErrors) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        return _with_tables(given, place, block)
    except (ContentError, DefinitionErrors) as error:
        print(error, file=sys.stderr)
        return 2
    except (OutputError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _check(given: argparse.Namespace) -> None:
    if given.platform is None and given.input is None:
        raise ContentError("nothing to do: --platform says the block in its syntax, --input renders it for people")
    if given.platform is not None and given.platform not in PLATFORMS:
        near = closest(given.platform, PLATFORMS)
        expected = f"--platform {given.platform}: expected one of {', '.join(PLATFORMS)}"
        raise ContentError(expected + (f"; did you mean {near}?" if near else ""))
    for option in ("profile", "preview"):
        if getattr(given, option) is not None and given.input is None:
            raise ContentError(f"--{option} needs --input, the tables that hold the people")


def _read(path: Path) -> SourceFile:
    try:
        return SourceFile(str(path), path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError(f"--template {path}: cannot be read as a text in UTF-8") from error


def read_fields(path: Path | None) -> dict[str, str]:
    """The platform's names of a person's values, by path, from the `fields:` of a destination's file.

    Raises:
        ContentError: no such file.
        DefinitionErrors: no YAML, or `fields:` that no destination could have.
    """
    if path is None:
        return {}
    if not path.is_file():
        raise ContentError(f"--destination {path}: there is no such file")
    return {value: name for name, value in fields_of(read_source(path)).items()}


def _defined(segments: Path, traits: Path) -> Known:
    """The names of the definitions, where their folders are. Which traits people have, only tables know."""
    if not segments.is_dir():
        return Known(None, None, None)
    definitions = load_definitions(segments, traits if traits.is_dir() else None).definitions
    return Known(None, [trait.name for trait in definitions.traits], [one.name for one in definitions.segments])


def _refuse_unknown(body: Body, known: Known, source: SourceFile) -> None:
    problems = list(unknown_names(body, known, source))
    if problems:
        raise DefinitionErrors(problems)


def _doubt_traits(body: Body, source: SourceFile, planned: Set[str]) -> None:
    """Without tables nobody knows which traits people have: one like a known one is a slip, another may be real.

    Raises:
        DefinitionErrors: a trait that is nearly one of the tracking plan's, or nearly a typed column.
    """
    doubtful = list(unknown_names(body, Known(planned, None, None), source))
    if any(problem.suggestion for problem in doubtful):
        raise DefinitionErrors(problem for problem in doubtful if problem.suggestion)
    for problem in doubtful:
        print(
            f"warning: {problem.one_line()} in the tracking plan; --input says whether people have it", file=sys.stderr
        )


def _with_tables(given: argparse.Namespace, place: Output, block: _Block) -> int:
    with open_tables(place) as tables:
        traits, computed, members = read_names(tables)
        known = Known(traits, {*(block.known.computed or ()), *computed}, {*(block.known.segments or ()), *members})
        _refuse_unknown(block.body, known, block.source)
        if given.profile is not None:
            person = next((person for _, person in read_people(tables, given.profile)), None)
            if person is None:
                raise ContentError(f"--profile {given.profile}: {given.input} has no such profile")
            return _write(render(block.body, person), given.output)
        seen, shown, people = _render_all(block.body, tables)
    branches = seen_branches(block.body, block.source, seen)
    if given.preview is not None:
        given.preview.write_text(content_page(block.source.name, branches, shown, people), encoding="utf-8")
        print(f"Page  {given.preview}", file=sys.stderr)
    print("\n".join(branch_lines(branches, people)), file=sys.stderr)
    if given.platform is None:
        return 0
    return _write(say_block(block.body, given.platform, block.source, block.fields), given.output)


def _render_all(body: Body, tables: DuckDBPyConnection) -> tuple[Counter[tuple[int, int]], dict[str, str], int]:
    """Which branches people see; the block for the first ones who see another one; how many people there are."""
    seen: Counter[tuple[int, int]] = Counter()
    shown: dict[str, str] = {}
    people, all_people = 0, tables.sql("SELECT count(*) FROM profiles WHERE merged_into IS NULL").fetchall()[0][0]
    progress = Progress()
    for people, (profile_id, person) in enumerate(read_people(tables), 1):
        before = len(seen)
        text = render(body, person, seen)
        if len(seen) > before or not shown:
            shown[profile_id] = text
        if people % 1_000 == 0:
            progress("Rendering", people, all_people)
    progress.clear()
    return seen, shown, people


def _write(text: str, output: Path | None) -> int:
    if output is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return 0
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"--output {output}: cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    print(f"Written: {output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
