"""`python -m pipelines.audit`: what changed for the worse in a job's tables, by day and by source."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.ledger import LedgerError, open_ledger
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, Output
from pipelines.io.tables.query import open_tables
from pipelines.trust.arguments import (
    CommandParser,
    Problems,
    add_ledger_argument,
    add_tables_argument,
    instant_of,
    number_of,
    tables_of,
)
from pipelines.trust.audit_page import audit_json, audit_lines, audit_page
from pipelines.trust.ledger import ledger_place
from pipelines.trust.run_audit import last_complete_day, run_audit
from pipelines.words.progress import Progress
from schemas.errors import OutputError, SchemaErrors, UsageError
from schemas.ledger import AUDITS
from schemas.tracking_plan import TrackingPlan, load_tracking_plan
from transforms.audit.check import Window
from transforms.audit.finding import SEVERITIES, Finding, iso_day
from transforms.failed_events import pipeline_version

DAYS: Final = 28
ALARMED: Final = 3
"""The exit status of `--fail_on`."""

_PATH: Final = re.compile(r"\w+(?:\.\w+)*")
_PAGES: Final = (".html", ".json")


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """What was asked. `as_of` in microseconds."""

    tables: Output
    ledger: DuckDBOutput | BigQueryOutput
    days: int
    as_of: int | None
    output: Path | None
    fail_on: str | None
    source: str | None
    plan: TrackingPlan


def argument_parser() -> CommandParser:
    """The command line."""
    parser = CommandParser(
        prog="python -m pipelines.audit",
        description="Tell what changed for the worse in a job's tables: values that are gone, sources that fell silent "
        "or doubled, clocks that moved, ids that no longer match, people who cannot be. Each day is compared with the "
        "same weekday of the weeks before.",
        epilog="Exit status: 0 done, 3 done and there is an alarm as grave as --fail_on, 1 the tables or the ledger "
        "cannot be read or written, 2 wrong arguments.",
        allow_abbrev=False,
    )
    add_tables_argument(parser)
    parser.add_argument(
        "--days",
        default=str(DAYS),
        metavar="N",
        help="how many days to audit, up to the last complete one (default: 28)",
    )
    parser.add_argument(
        "--as_of", metavar="INSTANT", help="audit up to the day before this instant (default: the tables')"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write a page (.html) or JSON (.json)")
    parser.add_argument(
        "--fail_on", choices=SEVERITIES, help="end with status 3 if there is such an alarm or a graver one"
    )
    parser.add_argument(
        "--source",
        metavar="PATH",
        help="where an event's source stands in its context (default: library.name, else app.name, else the host)",
    )
    parser.add_argument("--schemas", metavar="DIR", help="schema files that add to the tracking plan (docs/events.md)")
    add_ledger_argument(parser, "audits")
    return parser


def parse_options(arguments: Sequence[str]) -> AuditOptions:
    """Reads and checks the command line. Raises UsageError: with everything that is wrong."""
    known, problems = argument_parser().parse(arguments), Problems()
    tables = problems.checked(lambda: tables_of(known.input))
    ledger = problems.checked(lambda: ledger_place(known.ledger, tables)) if tables else None
    days = problems.checked(lambda: number_of("days", known.days))
    as_of = problems.checked(lambda: instant_of("as_of", known.as_of)) if known.as_of else None
    if known.output is not None and known.output.suffix not in _PAGES:
        problems.append(f"--output {known.output}: expected a file that ends in .html or .json")
    if known.source is not None and not _PATH.fullmatch(known.source):
        problems.append(f"--source {known.source!r}: expected names with points between them, such as library.name")
    plan = None
    try:
        plan = load_tracking_plan(known.schemas)
    except SchemaErrors as error:
        problems.append(str(error))
    problems.end()
    assert tables is not None and ledger is not None and days is not None and plan is not None  # noqa: S101, PT018
    return AuditOptions(tables, ledger, days, as_of, known.output, known.fail_on, known.source, plan)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    try:
        options = parse_options(sys.argv[1:] if arguments is None else arguments)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        return _run(options)
    except (OutputError, LedgerError, BigQueryError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _run(options: AuditOptions) -> int:
    progress = Progress()
    with open_tables(options.tables) as tables:
        last = last_complete_day(tables, options.as_of)
        if last is None:
            print("There are no events: nothing to audit.")
            return 0
        window = Window(last - options.days + 1, last, frozenset(options.plan.event_names()))
        findings = run_audit(tables, window, options.source, progress)
    progress.clear()
    _write(options, findings, window)
    for line in audit_lines(findings, window.first_day, window.last_day):
        print(line)
    if options.output is not None:
        print(f"\n{options.output}")
    grave = SEVERITIES[SEVERITIES.index(options.fail_on) :] if options.fail_on else ()
    return ALARMED if any(one.severity in grave for one in findings) else 0


def _write(options: AuditOptions, findings: Sequence[Finding], window: Window) -> None:
    """Puts the window's rows in the place of those of an earlier run: an alarm that no longer stands goes."""
    rows = [one.row() for one in findings]
    kept = {row[0] for row in rows}
    first, last = iso_day(window.first_day), iso_day(window.last_day)
    with open_ledger(options.ledger) as ledger:
        earlier = ledger.read(AUDITS)
        gone = [(row[0],) for row in earlier if first <= row[1] <= last and row[0] not in kept]
        ledger.write({AUDITS: rows}, gone={AUDITS: gone})
    if options.output is None:
        return
    options.output.parent.mkdir(parents=True, exist_ok=True)
    if options.output.suffix == ".json":
        options.output.write_bytes(audit_json(findings, window.first_day, window.last_day))
    else:
        page = audit_page(findings, window.first_day, window.last_day, pipeline_version())
        options.output.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
