"""BigQuery definitions of the output tables, as the REST API spells them.

Each table is a log, `<table>_log`, to which rows are only ever appended, and a view `<table>` over the newest version
of each row. Whatever is written twice, late or again is the same row to who reads the view. In the layout "cdc" there
are no views: BigQuery keeps the newest version itself, in `<table>`, by the primary key.
"""

# ruff: noqa: S608 - statements are made of our own schema's names and of a dataset that was checked

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from schemas.tables import Column

if TYPE_CHECKING:
    from schemas.tables import ColumnType, Table

Layout = Literal["append", "cdc"]

_TYPES: dict[ColumnType, str] = {
    "STRING": "STRING",
    "INTEGER": "INTEGER",
    "FLOAT": "FLOAT",
    "BOOLEAN": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMP",
    "DATE": "DATE",
    "JSON": "JSON",
    "BYTES": "BYTES",
}

LABELS = {"created_by": "tidemark"}

LOG_COLUMNS = (
    Column("row_version", "INTEGER", "Of the rows with one key, the one with the highest stands.", required=True),
    Column("row_deleted", "BOOLEAN", "True: the row with this key is gone.", required=True),
    Column("row_written_at", "TIMESTAMP", "When the row was sent; decides between equal versions.", required=True),
)
"""What a log has beside the table's columns. The views leave it out."""


def log_name(table: Table) -> str:
    return f"{table.name}_log"


def bigquery_field(column: Column) -> dict[str, Any]:
    """The column as a `TableFieldSchema` resource."""
    mode = "REPEATED" if column.repeated else "REQUIRED" if column.required else "NULLABLE"
    return {"name": column.name, "type": _TYPES[column.type], "mode": mode, "description": column.description}


def bigquery_schema(table: Table) -> list[dict[str, Any]]:
    """The table's columns as `TableFieldSchema` resources, in order."""
    return [bigquery_field(column) for column in table.columns]


def bigquery_table(table: Table, project: str, dataset: str) -> dict[str, Any]:
    """The table as a `Table` resource, with its unenforced primary key: a table of the layout "cdc"."""
    resource = _table(table, project, dataset, table.name, table.description)
    resource["schema"] = {"fields": bigquery_schema(table)}
    resource["tableConstraints"] = {"primaryKey": {"columns": list(table.key)}}
    return resource


def bigquery_log(table: Table, project: str, dataset: str) -> dict[str, Any]:
    """The table's log as a `Table` resource.

    It declares no primary key: BigQuery trusts an unenforced key when it plans a join, and a log that holds two
    versions of a row, or a row that was sent twice, would make it wrong.
    """
    description = f"Every version of every row of `{table.name}`. Read the view `{table.name}`. {table.description}"
    resource = _table(table, project, dataset, log_name(table), description)
    resource["schema"] = {"fields": [*bigquery_schema(table), *(bigquery_field(column) for column in LOG_COLUMNS)]}
    return resource


def bigquery_staging(table: Table, project: str, dataset: str, suffix: str = "staging") -> dict[str, Any]:
    """A staging table as a `Table` resource: JSON as text, BYTES as base 64, nothing required."""
    fields = [
        {**field, "type": "STRING" if field["type"] in {"JSON", "BYTES"} else field["type"]}
        | ({} if field["mode"] == "REPEATED" else {"mode": "NULLABLE"})
        for field in bigquery_schema(table)
    ]
    return {
        "tableReference": {"projectId": project, "datasetId": dataset, "tableId": f"{table.name}_{suffix}"},
        "description": f"Rows on their way into `{table.name}`. Nobody reads it.",
        "schema": {"fields": fields},
    }


def bigquery_view(table: Table, project: str, dataset: str) -> dict[str, Any]:
    """The view over the newest versions as a `Table` resource."""
    return {
        "tableReference": {"projectId": project, "datasetId": dataset, "tableId": table.name},
        "description": f"{table.description} Key: {', '.join(table.key)}.",
        "labels": dict(LABELS),
        "view": {"query": view_query(table, project, dataset), "useLegacySql": False},
    }


def view_query(table: Table, project: str, dataset: str) -> str:
    """The newest version of every row, without those that are gone.

    Of a partitioned table the newest versions are looked up by key apart, and the rows numbered within their instant.
    So a condition on the partition's column can be applied below, and of the rest only keys and versions are read.
    """
    log = f"`{project}.{dataset}.{log_name(table)}`"
    within = table.key
    if table.partition and table.partition not in table.key:
        within += (table.partition,)
    query = (
        f"SELECT {_quoted(table.column_names())} FROM (SELECT *, ROW_NUMBER() OVER ("
        f"PARTITION BY {_quoted(within)} ORDER BY row_version DESC, row_written_at DESC"
        f") AS row_place FROM {log}) WHERE row_place = 1 AND NOT row_deleted"
    )
    if within == table.key:
        return query
    [key] = table.key  # one column, of text: the version after its last blank cannot be taken for a part of it
    newest = f"SELECT CONCAT(`{key}`, ' ', CAST(MAX(row_version) AS STRING)) FROM {log} GROUP BY `{key}`"
    return f"{query} AND CONCAT(`{key}`, ' ', CAST(row_version AS STRING)) IN ({newest})"


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(table: Table, project: str, dataset: str, name: str, description: str) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "tableReference": {"projectId": project, "datasetId": dataset, "tableId": name},
        "description": description,
        "labels": dict(LABELS),
    }
    if table.partition:
        resource["timePartitioning"] = {"type": "DAY", "field": table.partition}
    if table.cluster:
        resource["clustering"] = {"fields": list(table.cluster)}
    return resource
