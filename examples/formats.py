"""Files of messages: NDJSON (plain or gzip), Avro, Parquet. Written as they come, a few thousand messages in memory.

The same messages give the same bytes with the same library versions: no file holds the hour at which it was written.
"""

from __future__ import annotations

import gzip
from abc import abstractmethod
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final, Protocol

import fastavro
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

_BATCH: Final = 5000
_ENVELOPE: Final = Path(__file__).parent.parent / "schemas" / "envelope.avsc"
_OBJECTS: Final = ("properties", "traits", "context", "integrations")
_SYNC_MARKER: Final = b"tidemark example"
_GZIP_LEVEL: Final = 9

Row = dict[str, str | None]


class EventFile(Protocol):
    """A file that is being written."""

    def write(self, message: bytes) -> bool:
        """Adds a message. False: this format cannot hold it."""

    def close(self) -> None: ...


class _LineFile:
    def __init__(self, path: Path) -> None:
        # A gzip header may name a file and an instant; this one does neither.
        self._raw: IO[bytes] = path.open("wb")
        self._file: Any = (
            gzip.GzipFile(filename="", mode="wb", compresslevel=_GZIP_LEVEL, fileobj=self._raw, mtime=0)
            if path.suffix == ".gz"
            else self._raw
        )
        self._lines: list[bytes] = []

    def write(self, message: bytes) -> bool:
        self._lines.append(message)
        if len(self._lines) >= _BATCH:
            self._flush()
        return True

    def close(self) -> None:
        self._flush()
        self._file.close()
        self._raw.close()

    def _flush(self) -> None:
        if self._lines:
            self._file.write(b"\n".join(self._lines) + b"\n")
            self._lines.clear()


class _RowFile:
    """What Avro and Parquet have in common: rows of the envelope, in batches."""

    def __init__(self, path: Path) -> None:
        schema = orjson.loads(_ENVELOPE.read_bytes())
        self._schema: Any = fastavro.parse_schema(schema)
        self._required = {field["name"]: field["type"] == "string" for field in schema["fields"]}
        self._path = path
        self._rows: list[Row] = []

    def write(self, message: bytes) -> bool:
        row = _envelope(message, self._required)
        if row is None:
            return False
        self._rows.append(row)
        if len(self._rows) >= _BATCH:
            self._flush()
        return True

    @abstractmethod
    def _flush(self) -> None:
        """Writes the rows that are held."""


class _AvroFile(_RowFile):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file = path.open("wb")
        self._file.write(self._container([]))

    def _container(self, rows: list[Row]) -> bytes:
        buffer = BytesIO()
        fastavro.writer(buffer, self._schema, rows, codec="deflate", sync_marker=_SYNC_MARKER)
        return buffer.getvalue()

    def _flush(self) -> None:
        header = len(self._container([]))
        self._file.write(self._container(self._rows)[header:])
        self._rows.clear()

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._file.close()


class _ParquetFile(_RowFile):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        fields = [pa.field(name, pa.string(), nullable=not required) for name, required in self._required.items()]
        self._arrow = pa.schema(fields)
        self._writer = pq.ParquetWriter(path, self._arrow, compression="zstd")

    def _flush(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._rows, self._arrow))
        self._rows.clear()

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()


# By the name's ending.
FORMATS: Final[Mapping[str, Callable[[Path], EventFile]]] = {
    "ndjson": _LineFile,
    "ndjson.gz": _LineFile,
    "avro": _AvroFile,
    "parquet": _ParquetFile,
}


def _envelope(message: bytes, required: Mapping[str, bool]) -> Row | None:
    """The message as a row, or None where the envelope has no place for it: no JSON, other fields, other types."""
    try:
        record = orjson.loads(message)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict) or not record.keys() <= required.keys():
        return None
    row: Row = {}
    for name, is_required in required.items():
        value = record.get(name)
        if name in _OBJECTS and value is not None:
            value = orjson.dumps(value).decode()
        if not isinstance(value, str) and (is_required or value is not None):
            return None
        row[name] = value
    return row


def damage_avro(path: Path) -> None:
    """Adds a block to an Avro file whose bytes are no records: a failed event of its own, `malformed_avro`."""
    garbage = b"these bytes were records once"
    with path.open("ab") as file:
        # Two numbers in Avro's zigzag form: one record, so many bytes.
        file.write(bytes([1 << 1, len(garbage) << 1]) + garbage + _SYNC_MARKER)
