"""Which files a pattern or a folder means, and what is known of them before they are read.

A pattern that is the name of a file is that file, whatever brackets and stars it has. What other programs leave beside
data is passed over: names, also of folders, that begin with a dot or an underscore (`_SUCCESS`, `_delta_log`,
`_temporary`, `.part.crc`), unless the pattern names them.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.io.files.beam_files import file_systems, is_local, open_file
from pipelines.io.files.local_pattern import local_matches
from schemas.errors import InputError
from transforms.parse.formats import is_known, kind_of, read_head
from transforms.parse.gunzip import GZIP_MAGIC

EXTENSIONS = (".ndjson", ".jsonl", ".json", ".avro", ".parquet")
EXTENSIONS_TEXT = "one of " + " ".join(EXTENSIONS) + ", each optionally with .gz"
RANGE_BYTES = 8 * 1024 * 1024
"""Large enough that a range's 20,000 events fill every bucket's block, small enough to keep many workers busy."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file to read.

    Attributes:
        path: on any file system that Beam knows.
        size_bytes: its length there, compressed if it is.
        updated_us: when it last changed, microseconds since the epoch.
        gzipped: whether it is compressed, as far as its name or its first bytes were looked at.
        splits: whether it is large, and of plain lines: it can be read in ranges.
        inode: of a local file.
    """

    path: str
    size_bytes: int
    updated_us: int
    gzipped: bool = False
    splits: bool = False
    inode: int = 0


def has_known_extension(path: str) -> bool:
    """Whether the name alone says what the file holds.

    >>> has_known_extension("events-0001.jsonl.gz")
    True
    """
    return PurePosixPath(path.lower().removesuffix(".gz")).suffix in EXTENSIONS


def is_folder(pattern: str) -> bool:
    """Whether the pattern names a folder rather than files."""
    if pattern.endswith("/"):
        return True
    if is_local(pattern):
        return Path(pattern).is_dir()
    return not has_wildcard(pattern) and not has_known_extension(pattern) and not pattern.endswith(".gz")


def has_wildcard(pattern: str) -> bool:
    """Whether a pattern stands for more than the file of that name."""
    return any(character in pattern for character in "*?[") and not is_local_file(pattern)


def is_local_file(path: str) -> bool:
    """Whether there is something of that name here that is no folder."""
    return is_local(path) and Path(path).exists() and not Path(path).is_dir()


def list_files(pattern: str, *, strict: bool = True) -> tuple[InputFile, ...]:
    """The files that a pattern or a folder holds now, sorted by path; a folder's at any depth.

    In a folder, names with an unknown extension are passed over, but for `.gz`, as archives are called.

    Args:
        pattern: a pattern, or a folder.
        strict: whether a file that the pattern matches and that holds nothing known is refused.

    Raises:
        InputError: with `strict`, such a file; or one that is no file at all (a FIFO, a device).
    """
    folder = is_folder(pattern)
    files = []
    for path, size_bytes, updated_us in sorted(_found(pattern, folder=folder)):
        if _is_hidden(path, pattern) or (folder and not _is_named_like_data(path)):
            continue
        inode = 0
        if is_local(path):
            status = Path(path).stat()
            if stat.S_ISDIR(status.st_mode):
                continue
            if not stat.S_ISREG(status.st_mode):
                if folder:
                    continue
                raise InputError(f"--input {pattern}: {path!r} is no file but a pipe or a device; expected a file")
            inode = status.st_ino
        gzipped, splits = _looked_at(path, size_bytes, updated_us, strict=strict)
        files.append(InputFile(path, size_bytes, updated_us, gzipped, splits, inode))
    return tuple(files)


def _found(pattern: str, *, folder: bool) -> Iterator[tuple[str, int, int]]:
    if is_local_file(pattern):
        status = Path(pattern).stat()
        yield pattern, status.st_size, status.st_mtime_ns // 1_000
        return
    asked = pattern.rstrip("/") + "/**" if folder else pattern
    if is_local(pattern):
        try:
            yield from local_matches(asked)
        except re.error as error:
            raise InputError(f"--input {pattern}: cannot be listed: {error}") from error
        return
    for match in _matches(pattern, asked):
        for metadata in match.metadata_list:
            updated_us = round((metadata.last_updated_in_seconds or 0) * 1_000_000)
            yield metadata.path, metadata.size_in_bytes, updated_us


def _matches(pattern: str, asked: str) -> Any:
    """What the file system answers; whoever keeps it may be away or refuse, in as many ways as there are of them."""
    try:
        return file_systems().match([asked])
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise InputError(f"--input {pattern}: cannot be listed: {reason}") from error


def _is_hidden(path: str, pattern: str) -> bool:
    named = [part for part in pattern.split("/") if part[:1] in "._" and part]
    return any(
        part[0] in "._" and part not in (".", "..") and not _is_named(part, named) for part in path.split("/") if part
    )


def _is_named(part: str, named: Iterable[str]) -> bool:
    return any(part == name or fnmatchcase(part, name) for name in named)


def _is_named_like_data(path: str) -> bool:
    return has_known_extension(path) or path.lower().endswith(".gz")


@lru_cache(maxsize=65536)
def _looked_at(path: str, size_bytes: int, _updated_us: int, *, strict: bool) -> tuple[bool, bool]:
    """Whether a file is gzipped, and whether it can be read in ranges. Opened only where that matters."""
    by_name = path.lower().endswith(".gz")
    known = _is_named_like_data(path)
    if not size_bytes or (known and (by_name or size_bytes <= RANGE_BYTES)):
        return by_name, False
    with open_file(path) as file:
        head = read_head(file)
    if not known and strict and not is_known(head):
        raise InputError(
            f"{path!r} has no known extension ({EXTENSIONS_TEXT}), and does not begin like JSON, Avro, Parquet or gzip"
        )
    gzipped = head.startswith(GZIP_MAGIC)
    return gzipped, size_bytes > RANGE_BYTES and not gzipped and kind_of(head, path) == "lines"
