"""One file of a spool: written under a hidden name, durable after each group, seen by readers when it is complete.

    .NAME.ndjson.open   being written; locked by its writer
    NAME.ndjson         complete: the same file, renamed

A group is what one fsync makes safe. Its last line ends in a space before the newline, which JSON does not mind: what
follows the last such line was never answered for, so a file left by a crash is cut there, and no batch is half there.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from pathlib import Path

_END_OF_GROUP = b" \n"
_READ_BYTES = 1024 * 1024


class Segment:
    """An open file of the spool `folder`. Not for use by several threads at once.

    Attributes:
        size_bytes: what is safe in it.
        opened_at: when it was made (monotonic seconds).
    """

    def __init__(self, folder: Path) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        self._name = f"events-{stamp}-{os.getpid()}-{secrets.token_hex(4)}.ndjson"
        self._folder = folder
        self._path = folder / f".{self._name}.open"
        self._file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            sync_folder(folder)
        except OSError:
            os.close(self._file)
            self._path.unlink(missing_ok=True)
            raise
        self.size_bytes = 0
        self.opened_at = time.monotonic()

    def append(self, lines: bytes) -> None:
        """Adds a group, each line ended by a newline, and makes it safe.

        Raises:
            OSError: it is not safe; the file is as long as it was before. Publish it and begin another: after a failed
                fsync, a second one may say yes to data that is lost.
        """
        data = memoryview(lines[:-1] + _END_OF_GROUP)
        length = len(data)
        try:
            while data:
                data = data[os.write(self._file, data) :]
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self.size_bytes)
            raise
        self.size_bytes += length

    def publish(self) -> None:
        """Gives the file the name that readers see; an empty one is removed. Nothing can be added any more.

        Raises:
            OSError: it keeps its hidden name, for the next start to find.
        """
        try:
            publish_file(self._path, self._folder / self._name, self.size_bytes)
        finally:
            os.close(self._file)


def publish_file(hidden: Path, name: Path, size_bytes: int) -> None:
    """Renames a file that is safe up to `size_bytes`, durably; removes an empty one."""
    if size_bytes:
        hidden.rename(name)
    else:
        hidden.unlink()
    sync_folder(name.parent)


def recover_segments(folder: Path) -> int:
    """Publishes what crashed writers left, up to the last group that is whole. Returns how many files that were.

    Files of writers that are alive are locked, and left alone.
    """
    return sum(_recover(path) for path in sorted(folder.glob(".events-*.ndjson.open")))


def _recover(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # another worker was quicker
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not path.exists():
            return False
        size_bytes = _whole_groups(file)
        os.ftruncate(file, size_bytes)
        os.fsync(file)
        publish_file(path, path.with_name(path.name.removeprefix(".").removesuffix(".open")), size_bytes)
    except BlockingIOError:
        return False
    else:
        return size_bytes > 0
    finally:
        os.close(file)


def _whole_groups(file: int) -> int:
    """The length of the file up to the end of its last whole group."""
    end = os.fstat(file).st_size
    after = b""  # the first byte of what was looked at last: the mark may lie across two parts
    while end > 0:
        start = max(0, end - _READ_BYTES)
        part = os.pread(file, end - start, start) + after
        at = part.rfind(_END_OF_GROUP)
        if at >= 0:
            return start + at + len(_END_OF_GROUP)
        end, after = start, part[:1]
    return 0


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder safe."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
