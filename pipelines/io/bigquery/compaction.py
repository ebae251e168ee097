"""Compaction: remove superseded and repeated rows from the logs of a BigQuery dataset, and rows that are gone.

`python -m pipelines.io.bigquery.compaction bigquery:PROJECT.DATASET [--print]` runs the statements, or prints them for
a scheduled query. It never changes what the views show, and may run at any time, as often as one likes, beside the
streaming job. Erased data leaves the logs here: run it daily.
"""

from __future__ import annotations

# ruff: noqa: S608 - statements are made of our own schema's names and of a dataset that was checked
import argparse
import sys

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.bigquery.jobs import run_query
from pipelines.io.bigquery.service import rest_client
from pipelines.io.outputs import BigQueryOutput, parse_output
from schemas.bigquery import log_name
from schemas.errors import OutputError
from schemas.tables import TABLES, Table

KEEP_DELETED_DAYS = 7
"""A row that says "gone" stays this long: a late retry of an older version must still find it."""


def compaction_statements(output: BigQueryOutput) -> list[str]:
    """One DELETE per log."""
    return [_statement(output, table) for table in TABLES]


def _statement(output: BigQueryOutput, table: Table) -> str:
    log = f"`{output.project}.{output.dataset}.{log_name(table)}`"
    key = ", ".join(f"`{name}`" for name in table.key)
    row = f"TO_JSON_STRING(STRUCT({key}, row_version, row_written_at))"
    return (
        f"DELETE FROM {log}\n"
        f"WHERE {row} IN (\n"
        f"  SELECT {row} FROM (\n"
        f"    SELECT {key}, row_version, row_written_at, row_deleted, RANK() OVER (\n"
        f"      PARTITION BY {key} ORDER BY row_version DESC, row_written_at DESC) AS row_place FROM {log})\n"
        f"  WHERE row_place > 1\n"
        f"    OR row_deleted AND row_written_at < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL {KEEP_DELETED_DAYS} DAY))"
    )


def compact(output: BigQueryOutput) -> None:
    """Run the statements.

    Raises:
        BigQueryError: one of them failed.
    """
    client = rest_client(output.project)
    for statement in compaction_statements(output):
        run_query(client, "compact", statement)


def main(arguments: list[str] | None = None) -> int:
    """The command line. Exit status 0 done, 1 failed, 2 the arguments are wrong."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.io.bigquery.compaction", description=compact.__doc__)
    parser.add_argument("output", help="bigquery:PROJECT.DATASET")
    parser.add_argument("--print", action="store_true", dest="only_print", help="print the statements, run nothing")
    options = parser.parse_args(arguments)
    try:
        output = parse_output(options.output)
    except OutputError as error:
        parser.error(str(error))
    if not isinstance(output, BigQueryOutput) or output.layout != "append":
        parser.error(f"{output}: expected bigquery:PROJECT.DATASET with the layout `append`")
    if options.only_print:
        print(";\n\n".join(compaction_statements(output)) + ";")
        return 0
    try:
        compact(output)
    except BigQueryError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
