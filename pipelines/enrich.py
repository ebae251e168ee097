"""`python -m pipelines.enrich`: third-party attributes as `identify` events, for people who agreed to it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Final

import duckdb
import orjson

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.read_rows import RowsError, read_rows
from pipelines.io.tables.query import open_tables
from pipelines.io.targets.target import TargetError
from pipelines.io.write_events import write_events
from pipelines.trust.enrich_options import EnrichOptions, argument_parser, parse_options
from pipelines.trust.order_events import tables_as_of
from schemas.errors import OutputError, UsageError
from transforms.audit.finding import DAY_US, iso_day
from transforms.enrichment.enrich import Counts, Enrichment, Lookup, Profile, enrich, lookup, missing_columns
from transforms.segments.language.errors import closest

__all__ = ["argument_parser", "main"]

_ROWS_AT_ONCE: Final = 10_000
_COLUMNS: Final = ("user_id", "email", "phone", "city", "region", "country", "postal_code")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    try:
        return _run(parse_options(sys.argv[1:] if arguments is None else arguments))
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except (OutputError, RowsError, BigQueryError, TargetError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _run(options: EnrichOptions) -> int:
    columns, rows = read_rows(options.table, options.headers)
    with open_tables(options.tables) as tables:
        as_of = options.as_of if options.as_of is not None else tables_as_of(tables)
        if as_of is None:
            print("There are no profiles: nothing to enrich.")
            return 0
        asked = _enrichment(options, columns, as_of)
        table = lookup(asked, rows)
        events, counts = enrich(asked, table, _profiles(tables), as_of)
    if options.events is not None:
        write_events(options.events, f"enriched-{options.name}", events)
    _summarise(asked, len(rows), table, counts)
    if options.events is not None:
        print(f"\n{len(events):,} identify events  {options.events}")
    return 0


def _enrichment(options: EnrichOptions, columns: Sequence[str], as_of: int) -> Enrichment:
    date = options.date or iso_day(as_of // DAY_US)
    asked = Enrichment(
        options.name, options.by, options.key, options.source, date, options.consent, options.fields
    )  # fmt: skip
    for name in missing_columns(columns, asked):
        near = closest(name, columns)
        raise UsageError(f"{options.table}: has no column {name!r}" + (f"; did you mean {near}?" if near else ""))
    return asked


def _profiles(tables: duckdb.DuckDBPyConnection) -> Iterator[Profile]:
    names = ", ".join(_COLUMNS)
    query = f"SELECT profile_id, {names}, traits FROM profiles WHERE merged_into IS NULL ORDER BY profile_id"  # noqa: S608
    result = tables.execute(query)
    while rows := result.fetchmany(_ROWS_AT_ONCE):
        for profile_id, *values, traits in rows:
            yield Profile(profile_id, dict(zip(_COLUMNS, values, strict=True)), orjson.loads(traits))


def _summarise(asked: Enrichment, rows: int, table: Lookup, counts: Counts) -> None:
    print(f"Table       {rows:,} rows from {asked.source}, {len(table.rows):,} keys by {asked.by}")
    if table.ambiguous or table.without_key:
        print(f"  not used  {table.ambiguous:,} keys with different answers, {table.without_key:,} rows without a key")
    print(f"Profiles    {counts.enriched:,} enriched, {counts.unchanged:,} up to date")
    print(f"  left out  {counts.without_consent:,} without the consent {', '.join(asked.consent)}")
    print(f"            {counts.not_found:,} not in the table")


if __name__ == "__main__":
    sys.exit(main())
