"""The arguments of `pipelines.enrich`, and the file that describes a table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from pipelines.io.outputs import Output
from pipelines.io.write_events import EventPlace
from pipelines.trust.arguments import (
    CommandParser,
    Problems,
    add_events_argument,
    add_tables_argument,
    events_of,
    instant_of,
    tables_of,
)
from schemas.errors import UsageError
from transforms.environment import with_variables
from transforms.segments.language.errors import closest

_KEYS: Final = ("table", "by", "key", "source", "date", "consent", "fields", "headers", "description")


@dataclass(frozen=True, slots=True)
class EnrichOptions:
    """What was asked. `as_of` in microseconds; `date`: ISO, None: the day of `as_of`."""

    tables: Output
    events: EventPlace | None
    as_of: int | None
    table: str
    headers: dict[str, str]
    name: str
    by: str
    key: str
    source: str
    date: str | None
    consent: tuple[str, ...]
    fields: tuple[str, ...]


def argument_parser() -> CommandParser:
    """The command line."""
    parser = CommandParser(
        prog="python -m pipelines.enrich",
        description="Join what others know to profiles that agreed to it, as identify events: traits enriched.NAME.",
        epilog="A file TABLE.yaml beside the table, or as --table itself, says the same as the options, which come "
        "first. Exit status: 0 done, 1 the tables or the table cannot be read or the events not be written, 2 wrong "
        "arguments.",
        allow_abbrev=False,
    )
    add_tables_argument(parser)
    parser.add_argument(
        "--table",
        required=True,
        metavar="FILE|URL",
        help="a .csv, .tsv, .ndjson, .json or .parquet file or URL, duckdb:PATH#TABLE, or a .yaml file about one",
    )
    parser.add_argument("--by", metavar="NAME", help="join by email, domain, phone, user_id, or any trait")
    parser.add_argument("--key", metavar="COLUMN", help="the table's column to join by (default: the name of --by)")
    add_events_argument(parser)
    parser.add_argument(
        "--consent", action="append", metavar="PURPOSE", help="a purpose that a profile must have agreed to"
    )
    parser.add_argument("--source", metavar="NAME", help="who says so (default: the table's name)")
    parser.add_argument("--date", metavar="DATE", help="of when it is (default: the table's column date, else as_of)")
    parser.add_argument("--fields", metavar="A,B,...", help="the columns to take (default: all)")
    parser.add_argument(
        "--as_of", metavar="INSTANT", help="event time of the events (default: what the tables tell of)"
    )
    return parser


def parse_options(arguments: Sequence[str]) -> EnrichOptions:
    """Reads and checks the command line and the description. Raises UsageError: with everything that is wrong."""
    known, problems = argument_parser().parse(arguments), Problems()
    tables = problems.checked(lambda: tables_of(known.input))
    events = problems.checked(lambda: events_of(known.events)) if known.events else None
    as_of = problems.checked(lambda: instant_of("as_of", known.as_of)) if known.as_of else None
    told = problems.checked(lambda: _description(known.table)) or {}
    table = str(told.get("table") or known.table)
    by = known.by or told.get("by")
    consent = tuple(known.consent or _names(told.get("consent")))
    if not by:
        problems.append("--by: required (or `by:` in the table's .yaml): email, domain, phone, user_id, or any trait")
    if not consent:
        problems.append(
            "--consent: required (or `consent:` in the table's .yaml): the purpose that people must have agreed to"
        )
    headers = problems.checked(lambda: _headers(told.get("headers"))) or {}
    problems.end()
    assert tables is not None  # noqa: S101 - no problems
    name = Path(table.partition("?")[0]).stem
    fields = tuple(known.fields.split(",")) if known.fields else tuple(_names(told.get("fields")))
    date = known.date or (str(told["date"]) if told.get("date") else None)
    key, source = known.key or told.get("key") or by, known.source or told.get("source") or name
    return EnrichOptions(
        tables, events, as_of, table, headers, name, str(by), str(key), str(source), date, consent, fields
    )  # fmt: skip


def _description(table: str) -> dict[str, Any]:
    """The .yaml file about a table; nothing, if there is none."""
    path = Path(table)
    own = path.suffix in (".yaml", ".yml")
    if not own:
        if "://" in table or table.startswith("duckdb:"):
            return {}
        path = path.with_suffix(".yaml")
        if not path.is_file():
            return {}
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"--table {path}: cannot be read: {type(error).__name__}") from None
    if not isinstance(told, dict):
        raise UsageError(f"--table {path}: expected lines such as 'by: email' and 'consent: [enrichment]'")
    for name in told:
        if name not in _KEYS:
            near = closest(str(name), _KEYS)
            raise UsageError(f"{path}: unknown key {name!r}" + (f"; did you mean {near}?" if near else ""))
    if own and not told.get("table"):
        raise UsageError(f"{path}: expected a key 'table' with the file or URL that it is about")
    if own and "://" not in str(told["table"]) and not str(told["table"]).startswith("duckdb:"):
        told["table"] = str(path.parent / str(told["table"]))
    return told


def _names(value: Any) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else [str(value)] if value else []


def _headers(value: Any) -> dict[str, str]:
    """Headers of the request; `$NAME` is read from the environment, so that no key stands in a file."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageError("headers: expected names and values")

    def missing(name: str) -> UsageError:
        return UsageError(f"headers: the environment variable {name} is not set")

    return {str(name): with_variables(str(text), os.environ, missing) for name, text in value.items()}
