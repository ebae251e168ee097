"""`python -m pipelines.export`: everything that is held about one person, as a zip for that person."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.io.files.atomic import replace_file
from pipelines.io.ledger.open import ledger_of
from pipelines.io.outputs import parse_output
from pipelines.io.tables.personal import NoSuchProfileError, PersonalTable, PersonalTables
from pipelines.io.tables.query import add_ledger, open_tables
from pipelines.words.export_archive import archive
from schemas.errors import OutputError, UsageError

_EPILOG = """\
The zip holds index.html, a page to read; one NDJSON file per table; manifest.json, with the number of rows and the
SHA-256 of each file. Nothing of anybody else is in it. The same tables give the same bytes.
Exit status: 0 done; 1 the tables cannot be read, or the file not be written; 2 wrong arguments, or no such profile."""


def argument_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.export",
        description="Give a person everything that is held about them: events, traits, segments, what was sent where.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    option = parser.add_argument
    option("--profile", required=True, metavar="ID", help="the person, such as user:42 or anon:d1")
    option(
        "--input",
        required=True,
        metavar="TABLES",
        help="the tables: duckdb:PATH, files:DIR or bigquery:PROJECT.DATASET",
    )
    option("--output", required=True, type=Path, metavar="FILE", help="the zip to write; one that is there is replaced")
    option("--ledger", metavar="LOCATION", help="where activation keeps its ledger, if not beside the tables")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    given = argument_parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    try:
        place = parse_output(given.input)
        ledger = parse_output(given.ledger) if given.ledger else ledger_of(place)
        if given.output.suffix != ".zip":
            raise UsageError(f"--output {given.output}: expected a file that ends in .zip")
    except (OutputError, UsageError) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        with open_tables(place) as connection:
            add_ledger(connection, ledger)
            personal = PersonalTables(connection, given.profile)
            tables = list(personal.read())
            _write(given.output, archive(personal.profile_id, personal.recorded_at(), tables))
    except NoSuchProfileError:
        print(f"--profile: {given.input} has no profile of that id", file=sys.stderr)
        return 2
    except OutputError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"--output {given.output}: cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    print("\n".join(_summary(given.output, tables)))
    return 0


def _write(path: Path, content: bytes) -> None:
    """The file is there whole, readable by its owner alone, or as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        replace_file(new, path)
    finally:
        new.unlink(missing_ok=True)


def _summary(path: Path, tables: Sequence[PersonalTable]) -> list[str]:
    width = max(len(one.table.name) for one in tables)
    lines = [f"  {one.table.name:{width}}  {len(one.rows):>8,}" for one in tables]
    return ["Rows about this person", *lines, f"Output  {path}"]


if __name__ == "__main__":
    sys.exit(main())
