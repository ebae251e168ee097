"""Reads example files of any format as messages."""

import gzip
from collections.abc import Iterator
from pathlib import Path

from schemas.event import Failure
from transforms.parse.avro import avro_messages
from transforms.parse.parquet import parquet_messages

SHIPPED = Path(__file__).parents[2] / "examples" / "events"


def read_messages(folder: Path) -> list[bytes | Failure]:
    """Every message of a folder, file by file. A Failure: a stretch of an Avro or Parquet file that is damaged."""
    return [message for file in sorted(folder.iterdir()) for message in _read(file)]


def _read(path: Path) -> Iterator[bytes | Failure]:
    with path.open("rb") as file:
        if path.suffix == ".avro":
            yield from avro_messages(file, str(path))
        elif path.suffix == ".parquet":
            yield from parquet_messages(file, str(path))
        else:
            content = gzip.decompress(file.read()) if path.suffix == ".gz" else file.read()
            yield from content.splitlines()
