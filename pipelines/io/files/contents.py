"""The records of a file, whatever it holds: the one way in which jobs, watched folders and a stream's history read.

What is in a file never raises; what the operating system says, does.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipelines.io.files.beam_files import is_local, open_file
from pipelines.io.files.containers import container_messages
from schemas.event import Failure
from transforms.parse.formats import Content, Kind, kind_of, open_content, read_head
from transforms.parse.gunzip import GZIP_MAGIC
from transforms.parse.lines import CutOffError, Lines, read_lines
from transforms.parse.text import gzip_failures, range_groups, text_messages

CONTAINERS: tuple[Kind, ...] = ("avro", "parquet")
_COPY_BYTES = 1024 * 1024


def file_messages(path: str, source: str, size_bytes: int = 0) -> Iterator[bytes | Failure]:
    """Every record of a file: JSON messages as they stand, rows of Avro and Parquet as JSON.

    Args:
        path: on any file system that Beam knows.
        source: the input as given to --input.
        size_bytes: how long the file was when the job was planned.

    Raises:
        CutOffError: the file is shorter than that.
        OSError: it cannot be read.
    """
    with open_file(path) as raw:
        content = open_content(raw, path)
        if content.kind not in CONTAINERS:
            yield from text_messages(content, source)
        else:
            with _as_local_file(path, content) as local:
                yield from container_messages(local, content.kind, source)
            if content.gunzip is not None and content.gunzip.damage:
                yield from gzip_failures(content.gunzip, b"", source)
    if is_local(path) and Path(path).stat().st_size < size_bytes:
        raise CutOffError(f"it has {Path(path).stat().st_size} bytes, and had {size_bytes} when the job began")


def range_lines(path: str, source: str, start: int, end: int) -> Iterator[Sequence[bytes | Failure]]:
    """The lines that start in [start, end) of a file of plain lines, some at a time: records, and bodies of records.

    Raises:
        CutOffError: the file ends before `end`.
        OSError: it cannot be read.
    """
    with open_file(path) as raw:
        _, unfinished = yield from range_groups(read_lines(raw, start, end), source)
    if unfinished.strip():
        yield Lines(unfinished + b"\n")


def file_kind(path: str) -> tuple[Kind, bool]:
    """What a file holds, and whether it is gzipped."""
    with open_file(path) as raw:
        head = read_head(raw)
    return ("documents", True) if head.startswith(GZIP_MAGIC) else (kind_of(head, path), False)


@contextmanager
def _as_local_file(path: str, content: Content) -> Iterator[str]:
    """The file itself where it is local and not packed; else a copy, since Parquet is read from its end."""
    if content.gunzip is None and is_local(path):
        yield path
        return
    descriptor, name = tempfile.mkstemp(prefix="tidemark-", suffix=f".{content.kind}")
    try:
        with os.fdopen(descriptor, "wb") as copy:
            shutil.copyfileobj(content.file, copy, _COPY_BYTES)
        yield name
    finally:
        Path(name).unlink(missing_ok=True)
