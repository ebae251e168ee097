"""`python -m pipelines.report`: a page about what a job wrote, that opens from disk, on a phone too."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.ledger import LedgerError, ledger_of
from pipelines.io.outputs import parse_output
from pipelines.io.tables.query import add_ledger, open_tables
from pipelines.reporting.report import read_report
from schemas.errors import DefinitionErrors, OutputError, SchemaErrors
from schemas.tracking_plan import load_tracking_plan
from transforms.failed_events import pipeline_version
from transforms.segments.language.definitions import load_definitions


def argument_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.report",
        description="Write one page about a job's tables: segments, overlaps, funnel, events, failures, data quality.",
        epilog="Exit status: 0 done, 1 the tables cannot be read or the page not be written, 2 wrong arguments.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--input",
        required=True,
        metavar="LOCATION",
        help="the tables: duckdb:PATH, files:DIR or bigquery:PROJECT.DATASET",
    )
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="the page to write, an .html file")
    parser.add_argument(
        "--segments", type=Path, metavar="DIR", help="the job's segments, for warnings about their rules"
    )
    parser.add_argument("--traits", type=Path, metavar="DIR", help="the job's computed traits")
    parser.add_argument("--schemas", metavar="DIR", help="schema files that add to the tracking plan")
    parser.add_argument("--title", default="Segments and events", help="the page's title (default: %(default)s)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    known = argument_parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    try:
        _check_page(known.output)
        place = parse_output(known.input)
        plan = load_tracking_plan(known.schemas)
        definitions = load_definitions(known.segments, known.traits).definitions if known.segments else None
    except (OutputError, SchemaErrors, DefinitionErrors) as error:
        print(error, file=sys.stderr)
        return 2
    from pipelines.reporting.page import render  # with what draws the charts
    from pipelines.reporting.trust import read_trust

    try:
        with open_tables(place) as tables:
            add_ledger(tables, ledger_of(place))
            report = read_report(tables, definitions, plan)
        page = render(report, known.title, pipeline_version(), read_trust(place))
        known.output.parent.mkdir(parents=True, exist_ok=True)
        known.output.write_text(page, encoding="utf-8")
    except (OutputError, LedgerError, BigQueryError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{known.output}: {len(report.segments)} segments, {len(page.encode()) / 1024:,.0f} KB; open it in a browser")
    return 0


def _check_page(path: Path) -> None:
    """Refuses to write over anything but a page of ours.

    Raises:
        OutputError: a file is there that does not look like one.
    """
    if path.is_dir():
        raise OutputError(f"--output {path}: is a folder, expected an .html file")
    if not path.is_file() or not path.stat().st_size:
        return
    from pipelines.reporting.page import MADE_BY

    if MADE_BY.encode() not in path.read_bytes():
        raise OutputError(f"--output {path}: is no page of ours and would be lost; give another name")


if __name__ == "__main__":
    sys.exit(main())
