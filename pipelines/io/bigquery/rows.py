"""Rows as the Storage Write API takes them: checked against the table's schema, and encoded as protocol buffers.

Values follow `TableBlock`: TIMESTAMP in microseconds, DATE as ISO 8601 text, JSON as text (str or UTF-8 bytes). The
message type of a table is made from `schemas/tables.py`, so there is no generated code to keep in step.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from schemas.bigquery import LOG_COLUMNS

if TYPE_CHECKING:
    from schemas.bigquery import Layout
    from schemas.tables import Column, ColumnType, Table

MAX_ROW_BYTES = 9_000_000
"""A request may have 10 MB, its row included. A larger row is refused before it is sent."""

_EPOCH = datetime.date(1970, 1, 1)
_MIN_TIMESTAMP, _MAX_TIMESTAMP = -62_135_596_800_000_000, 253_402_300_799_999_999  # years 1 to 9999
_MAX_JSON_DEPTH = 500

_FIELD = descriptor_pb2.FieldDescriptorProto
_FIELD_TYPES: dict[ColumnType, int] = {
    "STRING": _FIELD.TYPE_STRING,
    "INTEGER": _FIELD.TYPE_INT64,
    "FLOAT": _FIELD.TYPE_DOUBLE,
    "BOOLEAN": _FIELD.TYPE_BOOL,
    "TIMESTAMP": _FIELD.TYPE_INT64,
    "DATE": _FIELD.TYPE_INT32,
    "JSON": _FIELD.TYPE_STRING,
    "BYTES": _FIELD.TYPE_BYTES,
}

_EMPTY: dict[ColumnType, Any] = {
    "STRING": "",
    "INTEGER": 0,
    "FLOAT": 0.0,
    "BOOLEAN": False,
    "TIMESTAMP": 0,
    "DATE": "1970-01-01",
    "JSON": "{}",
    "BYTES": b"",
}

CHANGE_TYPE, CHANGE_SEQUENCE = "_CHANGE_TYPE", "_CHANGE_SEQUENCE_NUMBER"
"""Pseudocolumns of the layout "cdc"."""


class RowError(ValueError):
    """A row that its table cannot hold. `errors` has one text per violation: a JSON pointer and what was expected."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = tuple(errors)


class RowEncoder:
    """Encodes the rows of one table.

    Attributes:
        descriptor: the message type, for the `writer_schema` of a request.
    """

    def __init__(self, table: Table, layout: Layout) -> None:
        self._layout = layout
        columns = table.columns + (LOG_COLUMNS if layout == "append" else ())
        self._columns = {column.name: column for column in table.columns}
        self._key = table.key
        self.descriptor = _descriptor(table.name, columns, layout)
        file = descriptor_pb2.FileDescriptorProto(name=f"{table.name}.proto", syntax="proto2")
        file.message_type.append(self.descriptor)
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        self._message = message_factory.GetMessageClass(pool.FindMessageTypeByName(table.name))

    def encode(self, row: Mapping[str, Any], version: int, deleted: bool, written_at: int) -> bytes:
        """The row as bytes.

        Args:
            row: values by column.
            version: of the rows with one key, the one with the highest stands.
            deleted: the row with this key is gone; only its key counts.
            written_at: microseconds since the epoch.

        Raises:
            RowError: the table cannot hold the row.
        """
        values, errors = self._check(self._emptied(row) if deleted else row)
        if errors:
            raise RowError(errors)
        if self._layout == "append":
            values |= {"row_version": version, "row_deleted": deleted, "row_written_at": written_at}
        else:
            values |= {CHANGE_TYPE: "DELETE" if deleted else "UPSERT", CHANGE_SEQUENCE: f"{version:x}"}
        encoded: bytes = self._message(**values).SerializeToString()
        if len(encoded) > MAX_ROW_BYTES:
            raise RowError([f": {len(encoded)} bytes, expected at most {MAX_ROW_BYTES}"])
        return encoded

    def _emptied(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row's key, and something in every other column that cannot be null."""
        return {
            name: row.get(name) if name in self._key else _EMPTY[column.type]
            for name, column in self._columns.items()
            if column.required
        }

    def _check(self, row: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        errors = [f"/{name}: expected no such column" for name in row if name not in self._columns]
        values = {}
        for name, column in self._columns.items():
            value = row.get(name)
            if value is None:
                if column.required:
                    errors.append(f"/{name}: is missing, expected {column.type}")
                continue
            try:
                values[name] = (
                    [_checked(column, each) for each in value] if column.repeated else _checked(column, value)
                )
            except (ValueError, TypeError, RecursionError):
                expected = f"ARRAY of {column.type}" if column.repeated else column.type
                errors.append(f"/{name}: expected {expected}")
        return values, errors


def _descriptor(name: str, columns: tuple[Column, ...], layout: Layout) -> descriptor_pb2.DescriptorProto:
    descriptor = descriptor_pb2.DescriptorProto(name=name)
    for number, column in enumerate(columns, 1):
        label = _FIELD.LABEL_REPEATED if column.repeated else _FIELD.LABEL_OPTIONAL
        descriptor.field.add(name=column.name, number=number, type=_FIELD_TYPES[column.type], label=label)
    if layout == "cdc":
        for number, name_ in enumerate((CHANGE_TYPE, CHANGE_SEQUENCE), len(columns) + 1):
            descriptor.field.add(name=name_, number=number, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    return descriptor


# --- one value -------------------------------------------------------------------------------------------------------


def _checked(column: Column, value: Any) -> Any:
    """The value as its protocol buffer field takes it.

    Raises:
        ValueError, TypeError: it is not of the column's type.
    """
    return _CHECKS[column.type](value)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # lone surrogates are no text
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise ValueError
    return value


def _float(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _timestamp(value: Any) -> int:
    if not _MIN_TIMESTAMP <= _integer(value) <= _MAX_TIMESTAMP:
        raise ValueError
    return int(value)


def _date(value: Any) -> int:
    return (datetime.date.fromisoformat(_string(value)) - _EPOCH).days


def _json(value: Any) -> str:
    text = value.decode() if isinstance(value, bytes) else _string(value)
    parsed = orjson.loads(text)
    if text.count("{") + text.count("[") > _MAX_JSON_DEPTH and _depth(parsed) > _MAX_JSON_DEPTH:
        raise ValueError
    return text


def _depth(value: Any) -> int:
    """Levels of nesting; counted without recursion, for texts that nest deeper than Python does."""
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent if isinstance(parent, list) else ())
        ]
    return depth


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError
    return value


_CHECKS: dict[ColumnType, Callable[[Any], Any]] = {
    "STRING": _string,
    "INTEGER": _integer,
    "FLOAT": _float,
    "BOOLEAN": _boolean,
    "TIMESTAMP": _timestamp,
    "DATE": _date,
    "JSON": _json,
    "BYTES": _bytes,
}
