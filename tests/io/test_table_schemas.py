"""DuckDB, Parquet, Arrow and BigQuery schemas say the same: the names, order, types and nulls of schemas/tables.py."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.arrow import arrow_schema, to_record_batch
from schemas.bigquery import bigquery_table
from schemas.block import TableBlock
from schemas.duckdb import create_statements
from schemas.tables import DELETIONS, FAILED_EVENTS, IDENTITY_LINKS, MEMBERSHIPS, TABLES, Table
from tests.io.rows import NOON_US

# One row per type: DuckDB, Arrow, BigQuery.
EQUAL_TYPES = {
    "STRING": ("VARCHAR", pa.string(), "STRING"),
    "INTEGER": ("BIGINT", pa.int64(), "INTEGER"),
    "FLOAT": ("DOUBLE", pa.float64(), "FLOAT"),
    "BOOLEAN": ("BOOLEAN", pa.bool_(), "BOOLEAN"),
    "TIMESTAMP": ("TIMESTAMP WITH TIME ZONE", pa.timestamp("us", "UTC"), "TIMESTAMP"),
    "DATE": ("DATE", pa.date32(), "DATE"),
    "JSON": ("JSON", pa.json_(), "JSON"),
    "BYTES": ("BLOB", pa.binary(), "BYTES"),
}


def shape(table: Table) -> list[tuple[str, str, str]]:
    """(name, type, mode) of each column."""
    return [
        (column.name, column.type, "REPEATED" if column.repeated else "REQUIRED" if column.required else "NULLABLE")
        for column in table.columns
    ]


def mode(repeated: bool, nullable: bool) -> str:
    return "REPEATED" if repeated else "NULLABLE" if nullable else "REQUIRED"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_duckdb_is_the_source(table: Table) -> None:
    names = {duck: name for name, (duck, _, _) in EQUAL_TYPES.items()}
    with duckdb.connect() as connection:
        for statement in create_statements(table):
            connection.execute(statement)
        columns = connection.execute(
            "SELECT column_name, data_type, is_nullable, comment FROM duckdb_columns() WHERE table_name = ?"
            " ORDER BY column_index",
            [table.name],
        ).fetchall()
        comment = connection.execute(
            "SELECT comment FROM duckdb_tables() WHERE table_name = ?", [table.name]
        ).fetchone()
    found = [
        (name, names[kind.removesuffix("[]")], mode(kind.endswith("[]"), nullable))
        for name, kind, nullable, _ in columns
    ]
    assert found == shape(table)
    assert [row[3] for row in columns] == [column.description for column in table.columns]
    assert comment is not None
    assert comment[0].startswith(table.description)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_arrow_is_the_source_and_survives_parquet(table: Table, tmp_path: object) -> None:
    path = f"{tmp_path}/table.parquet"
    pq.write_table(arrow_schema(table).empty_table(), path)
    schema = pq.read_schema(path)
    names = {str(arrow): name for name, (_, arrow, _) in EQUAL_TYPES.items()}
    found = []
    for field in schema:
        repeated = pa.types.is_list(field.type)
        kind = field.type.value_type if repeated else field.type
        found.append((field.name, names[str(kind)], mode(repeated, field.nullable)))
    assert found == shape(table)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_bigquery_is_the_source(table: Table) -> None:
    names = {big: name for name, (_, _, big) in EQUAL_TYPES.items()}
    resource = bigquery_table(table, "shop-project", "tidemark")
    fields = resource["schema"]["fields"]
    assert [(field["name"], names[field["type"]], field["mode"]) for field in fields] == shape(table)
    assert [field["description"] for field in fields] == [column.description for column in table.columns]
    assert resource["tableConstraints"]["primaryKey"]["columns"] == list(table.key)
    assert resource.get("clustering", {"fields": []})["fields"] == list(table.cluster)
    assert resource.get("timePartitioning", {}).get("field") == table.partition


def test_keys_partitions_and_clusters_name_required_columns() -> None:
    for table in TABLES:
        required = {column.name for column in table.columns if column.required}
        assert set(table.key) <= required
        assert {table.partition} - {None} <= required
        assert set(table.cluster) <= set(table.column_names())
        assert len(table.cluster) <= 4  # BigQuery's limit


LINK = (["a"], ["u"], [NOON_US], ["m"])


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        (IDENTITY_LINKS, LINK[:3], "table identity_links: 3 columns, expected 4"),
        (IDENTITY_LINKS, (["a", "b"], *LINK[1:]), "table identity_links: columns of unequal length"),
        (IDENTITY_LINKS, (["a"], ["u"], [None], ["m"]), "column timestamp: 1 nulls in a required column"),
        (IDENTITY_LINKS, (["a"], ["u"], ["noon"], ["m"]), r"column timestamp: a value is not timestamp\[us, tz=UTC\]"),
        (IDENTITY_LINKS, (["a"], [7], [NOON_US], ["m"]), "column user_id: a value is not string"),
        (IDENTITY_LINKS, (pa.array([1]), *LINK[1:]), "column anonymous_id: int64, expected string"),
        (DELETIONS, (["r"], ["h"], [1], [2], [b"\xff"]), "column counts: a value is not extension<arrow.json>"),
        (
            MEMBERSHIPS,
            (["p"], ["s"], [1], [None], [None], ["v"], [None], [[]], [3]),
            "column message_ids: 1 nulls in a required column",
        ),
    ],
)
def test_a_block_that_does_not_fit_is_refused(table: Table, columns: tuple[list[object], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_record_batch(table, TableBlock(table.name, 0, columns))


def test_json_columns_take_text_and_bytes() -> None:
    columns = (["r", "s"], ["h", "h"], [1, 1], [2, 2], ['{"a":1}', b'{"b":2}'])
    batch = to_record_batch(DELETIONS, TableBlock("deletions", 0, columns))
    assert batch.column("counts").to_pylist() == ['{"a":1}', '{"b":2}']
    assert batch.schema.equals(arrow_schema(DELETIONS))


def test_the_error_does_not_quote_the_value() -> None:
    columns = tuple([12345] if column.name == "raw" else [None] for column in FAILED_EVENTS.columns)
    with pytest.raises(ValueError, match=r"raw|failure_id") as caught:
        to_record_batch(FAILED_EVENTS, TableBlock("failed_events", 0, columns))
    assert "12345" not in str(caught.value)
