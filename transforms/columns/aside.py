"""Blocks that lie in files while a reference of theirs travels: where all workers are processes of one machine.

A runner copies what it hands on at every step from one process to another, and holds it in memory until the next stage
asks for it. Of a job of a million events that was a tenth of all time and a gigabyte.
"""

from __future__ import annotations

import json
import os
import re
import threading
from tempfile import mkstemp
from typing import Final

import pyarrow as pa

_REFERENCE: Final = b"aside"
"""What a reference begins with, and no stream of Arrow's."""
_SIZE: Final = re.compile(_REFERENCE + rb'\["(?:[^"\\]|\\.)*", \d+, (\d+)\]')
_LONGEST_BYTES: Final = 5000
"""More than any path; a block is not searched to its end."""


class _Folder:
    """Where blocks are laid aside; each thread appends to a file of its own, so that nothing is locked."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._of_thread = threading.local()

    def file(self) -> tuple[str, pa.NativeFile]:
        """This thread's: its path, and the file, open for writing."""
        found: tuple[str, pa.NativeFile] | None = getattr(self._of_thread, "file", None)
        if found is None:
            descriptor, path = mkstemp(prefix="blocks-", dir=self._path)
            os.close(descriptor)
            found = self._of_thread.file = path, pa.OSFile(path, "wb")
        return found


_folder: _Folder | None = None


def lay_aside_in(path: str | None) -> None:
    """From now on, in this process: a folder that all workers see, and that goes when the job ends. None: nowhere."""
    global _folder  # noqa: PLW0603 - a setting of the process, made once, as its environment is
    _folder = None if path is None else _Folder(path)


def lay_aside(table: pa.Table, options: pa.ipc.IpcWriteOptions) -> bytes | None:
    """Appends the rows to this thread's file, as a stream of Arrow. Returns the reference, if blocks are laid aside."""
    if _folder is None:
        return None
    path, file = _folder.file()
    start = file.tell()
    with pa.ipc.new_stream(file, table.schema, options=options) as writer:
        writer.write_table(table)
    return _REFERENCE + json.dumps([path, start, file.tell() - start]).encode()


def is_reference(block: bytes) -> bool:
    """Whether a block is only the reference of one."""
    return block.startswith(_REFERENCE)


def fetch(reference: bytes, options: pa.ipc.IpcReadOptions) -> pa.Table:
    """The rows that a reference stands for."""
    path, start, size_bytes = _place(reference)
    with (
        pa.memory_map(path) as file,
        pa.ipc.open_stream(file.get_stream(start, size_bytes), options=options) as reader,
    ):
        return reader.read_all()


def size_of(block: bytes) -> int:
    """How many bytes a block is, wherever it lies: also of something encoded in which there is a reference."""
    found = _SIZE.search(block, 0, _LONGEST_BYTES)
    return int(found[1]) if found else len(block)


def _place(reference: bytes) -> tuple[str, int, int]:
    path, start, size_bytes = json.loads(reference[len(_REFERENCE) :])
    return path, start, size_bytes
