"""Arrow and Parquet schemas of the output tables, and blocks of rows as Arrow data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from schemas.block import TableBlock
    from schemas.tables import Column, ColumnType, Table

TIMESTAMP = pa.timestamp("us", tz="UTC")
JSON = pa.json_(pa.string())

MARK = "tidemark"
"""A key of a Parquet file's metadata that says that the file is an output of ours."""

_TYPES: dict[ColumnType, pa.DataType] = {
    "STRING": pa.string(),
    "INTEGER": pa.int64(),
    "FLOAT": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP": TIMESTAMP,
    "DATE": pa.date32(),
    "JSON": JSON,
    "BYTES": pa.binary(),
}


def arrow_field(column: Column) -> pa.Field:
    """The column as an Arrow field; a repeated column is a list that is never null."""
    kind = _TYPES[column.type]
    if column.repeated:
        kind = pa.list_(pa.field("element", kind))
    metadata = {"description": column.description}
    return pa.field(column.name, kind, nullable=not (column.required or column.repeated), metadata=metadata)


def arrow_schema(table: Table) -> pa.Schema:
    """The table's schema, in the order of its columns, with its description as metadata."""
    return pa.schema([arrow_field(column) for column in table.columns], {"description": table.description})


def to_record_batch(table: Table, block: TableBlock) -> pa.RecordBatch:
    """The block's rows as one Arrow record batch of `arrow_schema(table)`.

    Raises:
        ValueError: the block has another number of columns than the table, columns of unequal length, a value that
            is not of its column's type, or a null in a required column. The text names table and column, no value.
    """
    if len(block.columns) != len(table.columns):
        raise ValueError(f"table {table.name}: {len(block.columns)} columns, expected {len(table.columns)}")
    schema = arrow_schema(table)
    arrays = [_to_array(table, field, values) for field, values in zip(schema, block.columns, strict=True)]
    if len({len(array) for array in arrays}) > 1:
        raise ValueError(f"table {table.name}: columns of unequal length")
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def with_schema(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with the types and metadata of a schema whose columns it has under other, equivalent types."""
    return pa.RecordBatch.from_arrays([_cast(batch.column(field.name), field.type) for field in schema], schema=schema)


def _cast(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if kind == JSON:
        storage = array.storage if array.type == JSON else array
        return pa.ExtensionArray.from_storage(JSON, storage.cast(JSON.storage_type))
    if pa.types.is_list(kind):
        return array.cast(kind).fill_null([])  # some readers give null for an empty list
    return array.cast(kind)


def _to_array(table: Table, field: pa.Field, values: object) -> pa.Array:
    array = values if isinstance(values, pa.Array) else _from_values(table, field, values)
    if array.type != field.type:
        if field.type != JSON or array.type != JSON.storage_type:
            raise ValueError(f"table {table.name}, column {field.name}: {array.type}, expected {field.type}")
        array = pa.ExtensionArray.from_storage(JSON, array)
    if array.null_count and not field.nullable:
        raise ValueError(f"table {table.name}, column {field.name}: {array.null_count} nulls in a required column")
    return array


def _from_values(table: Table, field: pa.Field, values: object) -> pa.Array:
    storage = JSON.storage_type if field.type == JSON else field.type
    try:
        if field.type == pa.date32():
            return pa.array(values, pa.string()).cast(storage)
        return pa.array(values, storage)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError):
        # Arrow's own text quotes the value, which may be personal data.
        raise ValueError(f"table {table.name}, column {field.name}: a value is not {field.type}") from None
