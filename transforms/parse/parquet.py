"""Reads Parquet files of events: one row per event, columns with the wire's field names.

`properties`, `traits` and `context` are JSON text, structs or maps; instants are text or TIMESTAMP columns (UTC).
A row group that cannot be read is one malformed_parquet failure with its bytes; the others are read. What a value
stands for is decided by arrow_values.py; a value that JSON cannot say is the failure of its row, if anybody reads it.

A damaged page can make Arrow end the process (std::terminate): read files that may be damaged where that costs nothing
else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from schemas import failure_reasons as reasons
from schemas.event import Failure
from transforms.parse.arrow_values import UNSAID, Unsaid, column_values
from transforms.parse.rows import WIRE_FIELDS, Attributes, Damage, json_message, unreadable

_BATCH_ROWS: Final = 4096
_PART_BYTES: Final = 1024 * 1024
_DECODING: Final[dict[str, Any]] = {"coerce_int96_timestamp_unit": "us"}


def parquet_messages(
    file: IO[bytes],
    source: str,
    attributes: Attributes | None = None,
    begin: Callable[[int], None] = lambda _group: None,
    bad: frozenset[int] = frozenset(),
) -> Iterator[bytes | Failure]:
    """Every row of a Parquet file as the JSON message that it stands for, and a failure for what cannot be read.

    Args:
        file: open for reading, seekable.
        source: the input as given to --input.
        attributes: attributes of the file, for failures.
        begin: called with the number of each row group before it is read.
        bad: row groups that are not to be read: the process did not survive it.
    """
    try:
        table = pq.ParquetFile(file, **_DECODING)
    except Exception as error:  # noqa: BLE001 - corrupt bytes raise nearly anything; none of it is dropped
        yield from unreadable_parts(file, 0, None, type(error).__name__, source, attributes)
        return
    for group in range(table.num_row_groups):
        begin(group)
        if group in bad:
            start, end = _extent(table, group)
            yield from unreadable_parts(file, start, end, "it ends the process", source, attributes)
        else:
            yield from _group_messages(table, group, file, source, attributes)


def _group_messages(
    table: pq.ParquetFile, group: int, file: IO[bytes], source: str, attributes: Attributes | None
) -> Iterator[bytes | Failure]:
    """A row group; if that cannot be read, those of its columns that are."""
    given = 0
    damage = ""
    for columns in (None, [name for name in table.schema_arrow.names if name in WIRE_FIELDS]):
        batches = table.iter_batches(batch_size=_BATCH_ROWS, row_groups=[group], columns=columns)
        skip = given
        while True:
            try:
                batch = next(batches, None)
            except Exception as error:  # noqa: BLE001 - as above
                damage = type(error).__name__
                break
            if batch is None:
                return
            if skip < batch.num_rows:
                yield from batch_messages(batch.slice(skip), source, attributes)
                given += batch.num_rows - skip
            skip = max(skip - batch.num_rows, 0)
    start, end = _extent(table, group)
    yield from unreadable_parts(file, start, end, damage, source, attributes)


def batch_messages(
    batch: pa.RecordBatch, source: str, attributes: Attributes | None = None
) -> Iterator[bytes | Failure]:
    """Every row of an Arrow record batch, likewise."""
    names = batch.schema.names
    columns = [column_values(column) for column in batch.columns]
    for index, values in enumerate(zip(*columns, strict=True)):
        unsaid = [name for name, value in zip(names, values, strict=True) if value is UNSAID]
        if any(name in WIRE_FIELDS for name in unsaid):
            yield _unsaid_row(batch.slice(index, 1), unsaid, source, attributes)
        else:
            yield json_message({n: v for n, v in zip(names, values, strict=True) if not isinstance(v, Unsaid)})


def unreadable_parts(
    file: IO[bytes], start: int, end: int | None, kind: str, source: str, attributes: Attributes | None
) -> Iterator[Failure]:
    """A stretch of a file that cannot be read, to its end if `end` is None, in parts of at most 1 MiB."""
    file.seek(start)
    at = start
    while True:
        raw = file.read(_PART_BYTES if end is None else min(_PART_BYTES, end - at))
        if not raw and at > start:
            return
        yield from unreadable(reasons.MALFORMED_PARQUET, Damage(kind, at, raw), source, attributes)
        if not raw:
            return
        at += len(raw)


def _unsaid_row(row: pa.RecordBatch, names: list[str], source: str, attributes: Attributes | None) -> Failure:
    errors = tuple(
        f"/{name}: expected a value that JSON can say, not one of {row.schema.field(name).type.id}" for name in names
    )
    return Failure(reasons.MALFORMED_PARQUET, errors, "parse", None, _raw(row), attributes or {}, source, None)


def _raw(row: pa.RecordBatch) -> bytes:
    """The row in Arrow's stream format; as far as JSON can say it, where Arrow itself cannot."""
    try:
        return _arrow_stream(row)
    except Exception:  # noqa: BLE001 - as above
        values = zip(row.schema.names, map(column_values, row.columns), strict=True)
        return json_message({name: value for name, (value,) in values if not isinstance(value, Unsaid)})


def _arrow_stream(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    stream: bytes = sink.getvalue().to_pybytes()
    return stream


def _extent(table: pq.ParquetFile, number: int) -> tuple[int, int | None]:
    """Where the bytes of a row group start and end in the file; all of it where the file does not even say that."""
    try:
        group = table.metadata.row_group(number)
        columns = [group.column(index) for index in range(group.num_columns)]
        starts = [min(filter(None, (column.dictionary_page_offset, column.data_page_offset))) for column in columns]
        sizes = [column.total_compressed_size for column in columns]
    except Exception:  # noqa: BLE001 - as above
        return 0, None
    if min(starts) < 0 or min(sizes) < 0:
        return 0, None
    return min(starts), max(start + size for start, size in zip(starts, sizes, strict=True))
