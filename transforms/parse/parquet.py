"""Reads Parquet files of events: one row per event, columns with the wire's field names.

`properties`, `traits` and `context` are JSON text, structs or maps; instants are text or TIMESTAMP columns (UTC).
A row group that cannot be read is one malformed_parquet failure with its bytes; the others are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from schemas import failure_reasons as reasons
from schemas.event import Failure
from transforms.parse.events import Attributes
from transforms.parse.rows import Damage, json_message, unreadable

_BATCH_ROWS: Final = 4096
_UNREADABLE: Final = (pa.ArrowException, OSError, ValueError)


def parquet_messages(file: IO[bytes], source: str, attributes: Attributes | None = None) -> Iterator[bytes | Failure]:
    """Every row of a Parquet file as the JSON message that it stands for, and a failure for what cannot be read.

    Args:
        file: open for reading, seekable.
        source: the input as given to --input.
        attributes: attributes of the file, for failures.
    """
    try:
        table = pq.ParquetFile(file)
    except _UNREADABLE as error:
        file.seek(0)
        damage = Damage(type(error).__name__, 0, file.read())
        yield from unreadable(reasons.MALFORMED_PARQUET, damage, source, attributes)
        return
    for group in range(table.num_row_groups):
        batches = table.iter_batches(batch_size=_BATCH_ROWS, row_groups=[group])
        while True:
            try:
                batch = next(batches, None)
            except _UNREADABLE as error:
                start, end = _extent(table.metadata.row_group(group))
                file.seek(start)
                damage = Damage(type(error).__name__, start, file.read(end - start))
                yield from unreadable(reasons.MALFORMED_PARQUET, damage, source, attributes)
                break
            if batch is None:
                break
            yield from batch_messages(batch, source, attributes)


def batch_messages(
    batch: pa.RecordBatch, source: str, attributes: Attributes | None = None
) -> Iterator[bytes | Failure]:
    """Every row of an Arrow record batch, likewise."""
    try:
        rows: list[dict[str, Any]] = _to_microseconds(batch).to_pylist(maps_as_pydicts="lossy")
    except UnicodeDecodeError:
        # Parquet does not check its text. Row by row, so that one bad text costs one row.
        if batch.num_rows > 1:
            for index in range(batch.num_rows):
                yield from batch_messages(batch.slice(index, 1), source, attributes)
        else:
            errors = (": text that is not UTF-8; the bytes are the row in Arrow's stream format",)
            yield Failure(reasons.NOT_UTF8, errors, "parse", None, _arrow_stream(batch), attributes or {}, source, None)
        return
    for row in rows:
        yield json_message(row)


def _to_microseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Instants to the microsecond, digits after the sixth cut off as in text. Python's datetime holds no more."""
    for index, field in enumerate(batch.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            exact = batch.column(index).cast(pa.timestamp("us", field.type.tz), safe=False)
            batch = batch.set_column(index, field.name, exact)
    return batch


def _arrow_stream(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    stream: bytes = sink.getvalue().to_pybytes()
    return stream


def _extent(group: Any) -> tuple[int, int]:
    """Where the bytes of a row group start and end in the file."""
    columns = [group.column(index) for index in range(group.num_columns)]
    starts = [min(filter(None, (column.dictionary_page_offset, column.data_page_offset))) for column in columns]
    return min(starts), max(start + column.total_compressed_size for start, column in zip(starts, columns, strict=True))
