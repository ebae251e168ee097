"""BigQuery definitions of the output tables, as the REST API spells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from schemas.tables import Column, ColumnType, Table

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


def bigquery_field(column: Column) -> dict[str, Any]:
    """The column as a `TableFieldSchema` resource."""
    mode = "REPEATED" if column.repeated else "REQUIRED" if column.required else "NULLABLE"
    return {"name": column.name, "type": _TYPES[column.type], "mode": mode, "description": column.description}


def bigquery_schema(table: Table) -> list[dict[str, Any]]:
    """The table's columns as `TableFieldSchema` resources, in order."""
    return [bigquery_field(column) for column in table.columns]


def bigquery_table(table: Table, project: str, dataset: str, name: str | None = None) -> dict[str, Any]:
    """The table as a `Table` resource: schema, description, labels, partitioning, clustering, unenforced primary key.

    Args:
        table: the table.
        project: the Google Cloud project.
        dataset: the dataset's id.
        name: the table's id there; the table's own name by default.
    """
    resource: dict[str, Any] = {
        "tableReference": {"projectId": project, "datasetId": dataset, "tableId": name or table.name},
        "description": table.description,
        "labels": dict(LABELS),
        "schema": {"fields": bigquery_schema(table)},
        "tableConstraints": {"primaryKey": {"columns": list(table.key)}},
    }
    if table.partition:
        resource["timePartitioning"] = {"type": "DAY", "field": table.partition}
    if table.cluster:
        resource["clustering"] = {"fields": list(table.cluster)}
    return resource
