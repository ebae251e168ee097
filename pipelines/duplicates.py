"""`python -m pipelines.duplicates`: profiles that are probably one person, why, and what was decided about them."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.ledger import Ledger, LedgerError, open_ledger
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, Output
from pipelines.io.tables.query import open_tables
from pipelines.io.targets.target import TargetError
from pipelines.io.write_events import EventPlace, write_events
from pipelines.trust.arguments import (
    CommandParser,
    Problems,
    add_ledger_argument,
    add_tables_argument,
    events_of,
    share_of,
    tables_of,
)
from pipelines.trust.duplicates_page import duplicates_page
from pipelines.trust.ledger import ledger_place
from pipelines.trust.match_people import match_people
from pipelines.trust.order_events import tables_as_of
from pipelines.trust.people import People, describe, read_people
from pipelines.words.layout import table
from schemas.errors import OutputError, UsageError
from schemas.ledger import DUPLICATES
from transforms.duplicates.aliases import aliases
from transforms.duplicates.suggest import (
    APPROVED,
    REJECTED,
    SUGGESTED,
    Key,
    Outcome,
    State,
    Suggestion,
    decide,
    suggest,
)
from transforms.failed_events import pipeline_version

THRESHOLD: Final = 0.5
_SHOWN: Final = 10
_WORDS: Final[dict[str, State]] = {"approve": APPROVED, "reject": REJECTED}


@dataclass(frozen=True, slots=True)
class DuplicatesOptions:
    """What was asked. `decisions`: by the two ids, the one that comes first on the left."""

    tables: Output
    ledger: DuckDBOutput | BigQueryOutput
    threshold: float
    write: EventPlace | None
    page: Path | None
    decisions: Mapping[Key, State]


def argument_parser() -> CommandParser:
    """The command line."""
    parser = CommandParser(
        prog="python -m pipelines.duplicates",
        description="Find profiles that are probably one person, and say why. Nobody is merged: --write gives alias "
        "events for somebody to look at and put into the input.",
        epilog="Exit status: 0 done, 1 the tables or the ledger cannot be read or written, 2 wrong arguments.",
        allow_abbrev=False,
    )
    add_tables_argument(parser)
    add_ledger_argument(parser, "duplicates")
    parser.add_argument(
        "--threshold",
        default=str(THRESHOLD),
        metavar="P",
        help="how probable a pair must be to be suggested, 0 to 1 (default: %(default)s)",
    )
    parser.add_argument("--write", metavar="FILE", help="write the pairs that nobody rejected as alias events (NDJSON)")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write a page to review the pairs on, an .html file")
    for word in _WORDS:
        parser.add_argument(
            f"--{word}",
            nargs=2,
            action="append",
            default=[],
            metavar=("LEFT", "RIGHT"),
            help=f"{word} a pair: it is not asked for again; may be given several times",
        )
    parser.add_argument(
        "--decisions", type=Path, metavar="FILE", help="a CSV file of decisions: left_id,right_id,approve|reject"
    )
    return parser


def parse_options(arguments: Sequence[str]) -> DuplicatesOptions:
    """Reads and checks the command line. Raises UsageError: with everything that is wrong."""
    known, problems = argument_parser().parse(arguments), Problems()
    tables = problems.checked(lambda: tables_of(known.input))
    ledger = problems.checked(lambda: ledger_place(known.ledger, tables)) if tables else None
    threshold = problems.checked(lambda: share_of("threshold", known.threshold))
    write = problems.checked(lambda: events_of(known.write)) if known.write else None
    decisions: dict[Key, State] = (
        (problems.checked(lambda: _decisions(known.decisions)) or {}) if known.decisions else {}
    )
    for word, state in _WORDS.items():
        decisions |= {_key(left, right): state for left, right in getattr(known, word)}
    problems.end()
    assert tables is not None and ledger is not None and threshold is not None  # noqa: S101, PT018 - no problems
    return DuplicatesOptions(tables, ledger, threshold, write, known.page, decisions)


def _decisions(path: Path) -> dict[Key, State]:
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--decisions {path}: cannot be read: {type(error).__name__}") from None
    found: dict[Key, State] = {}
    for number, row in enumerate(rows, 1):
        if not row or (number == 1 and row[:2] == ["left_id", "right_id"]):
            continue
        if len(row) != 3 or row[2].strip() not in _WORDS:
            raise UsageError(
                f"--decisions {path}:{number}: expected left_id,right_id,approve or left_id,right_id,reject"
            )
        found[_key(row[0].strip(), row[1].strip())] = _WORDS[row[2].strip()]
    return found


def _key(one: str, other: str) -> Key:
    return (one, other) if one <= other else (other, one)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    try:
        options = parse_options(sys.argv[1:] if arguments is None else arguments)
        return _run(options)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except (OutputError, LedgerError, BigQueryError, TargetError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _run(options: DuplicatesOptions) -> int:
    with open_tables(options.tables) as tables:
        found, as_of = read_people(tables), tables_as_of(tables)
        print(f"{len(found.people):,} profiles are compared", file=sys.stderr)
        pairs = match_people(list(found.people.values()), options.threshold)
        with open_ledger(options.ledger) as ledger:
            outcome = suggest(pairs, found.people, _rows_of(ledger), found.known)
            rows = _decide(outcome, options)
            ledger.write({DUPLICATES: [tuple(row) for row in rows]}, gone={DUPLICATES: outcome.gone})
        _summarise(rows, outcome, found)
        if options.write is not None:
            _write_aliases(rows, found, options, as_of or 0)
        if options.page is not None:
            ids = sorted({one for row in rows for one in (row.left_id, row.right_id)})
            command = f"python -m pipelines.duplicates --input {options.tables}"
            page = duplicates_page(rows, describe(tables, ids), command, pipeline_version())
            options.page.parent.mkdir(parents=True, exist_ok=True)
            options.page.write_text(page, encoding="utf-8")
            print(f"{options.page}: to review; it holds personal data")
    return 0


def _rows_of(ledger: Ledger) -> list[Suggestion]:
    return [Suggestion(*row) for row in ledger.read(DUPLICATES)]


def _decide(outcome: Outcome, options: DuplicatesOptions) -> tuple[Suggestion, ...]:
    try:
        return decide(outcome.rows, options.decisions)
    except KeyError as error:
        pairs = "; ".join(f"{left} {right}" for left, right in error.args)
        raise UsageError(f"there is no such pair among those suggested or decided: {pairs}") from None


def _summarise(rows: Sequence[Suggestion], outcome: Outcome, found: People) -> None:
    counts = {state: sum(row.state == state for row in rows) for state in (SUGGESTED, APPROVED, REJECTED)}
    print(f"Pairs       {counts[SUGGESTED]:,} to decide, {counts[APPROVED]:,} approved, {counts[REJECTED]:,} rejected")
    print(f"Held back   {outcome.households:,} of one household: alike in all but the person")
    waiting = sorted((row for row in rows if row.state == SUGGESTED), key=lambda row: (-row.probability, row))
    if waiting:
        shown = [
            (
                row.left_id,
                row.right_id,
                f"{row.probability:.4f}",
                ", ".join(f"{k} {v}" for k, v in row.fields().items()),
            )
            for row in waiting[:_SHOWN]
        ]
        print("\n".join(["", *table(("left", "right", "probability", "why"), shown)]))


def _write_aliases(rows: Sequence[Suggestion], found: People, options: DuplicatesOptions, as_of: int) -> None:
    made = aliases(rows, found.first_seen, options.threshold, as_of)
    assert options.write is not None  # noqa: S101 - the caller asked
    write_events(options.write, "duplicates", made.events)
    print(f"\n{len(made.events):,} alias events  {options.write}  look at them, then add them to the input")
    if made.held_back:
        print(f"{made.held_back:,} more would chain people whom nothing else links; they wait for the next run")


if __name__ == "__main__":
    sys.exit(main())
