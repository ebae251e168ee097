"""What a watched file is known by, and the journal of what was read of each.

A file is known by its path, and by what was read of it: a digest of its beginning and of the end of what was read. So a
file that was replaced is told from one that grew, whatever its size; and one that was renamed is not read again. Inode
and time of change only say when it is worth looking.

A position in a stream's progress is named `PATH<NUL>INODE-UPDATED-DIGEST`, and holds the number of bytes read. Names
without the second part, as earlier versions wrote them, are known by their path alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pipelines.io.files.beam_files import open_file
from pipelines.io.files.listing import InputFile

_BEGINNING_BYTES: Final = 4 * 1024 * 1024
_END_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What was read of a file: the first `read_bytes`, whose digest is `digest` ("" where it is not known)."""

    path: str
    read_bytes: int = 0
    inode: int = 0
    updated_us: int = 0
    digest: str = ""

    def name(self) -> str:
        """As the name of a position."""
        return f"{self.path}\0{self.inode}-{self.updated_us}-{self.digest}" if self.digest else self.path

    def unchanged(self, file: InputFile) -> bool:
        """Whether nothing says that the file is another one, or has another content, than what was read."""
        return (self.inode, self.updated_us) == (file.inode, file.updated_us) and self.read_bytes == file.size_bytes


def of_positions(positions: Mapping[str, int]) -> dict[str, ReadFile]:
    """What was read, by path. What cannot be understood is not known."""
    found = {}
    for name, read_bytes in positions.items():
        path, _, mark = name.partition("\0")
        inode, _, rest = mark.partition("-")
        updated_us, _, digest = rest.partition("-")
        if digest and inode.isdigit() and updated_us.lstrip("-").isdigit():
            found[path] = ReadFile(path, read_bytes, int(inode), int(updated_us), digest)
        else:
            found[path] = ReadFile(path, read_bytes)
    return found


def match_files(files: Iterable[InputFile], known: Mapping[str, ReadFile]) -> dict[str, ReadFile]:
    """What is to be taken as read of each file that is there now."""
    files = list(files)
    there = {file.path for file in files}
    gone = {one.inode: one for path, one in known.items() if one.inode and one.digest and path not in there}
    moved = {one.inode: one for path, one in known.items() if one.inode and one.digest}
    return {
        file.path: _match(file, known.get(file.path), gone.get(file.inode) or moved.get(file.inode)) for file in files
    }


def _match(file: InputFile, known: ReadFile | None, renamed: ReadFile | None) -> ReadFile:
    for one in (known, renamed):
        if one is None:
            continue
        if one.unchanged(file):
            return replace(one, path=file.path)
        if one.read_bytes <= file.size_bytes and (not one.digest or digest_of(file.path, one.read_bytes) == one.digest):
            return replace(one, path=file.path)
    return ReadFile(file.path)


def after_reading(file: InputFile, read_bytes: int) -> ReadFile:
    """What is known of a file of which so much was read."""
    return ReadFile(file.path, read_bytes, file.inode, file.updated_us, digest_of(file.path, read_bytes))


def digest_of(path: str, read_bytes: int) -> str:
    """Of the beginning of a file (all that was read, up to 4 MiB) and of the last bytes that were read."""
    digest = hashlib.blake2b(digest_size=16)
    with open_file(path) as file:
        digest.update(file.read(min(read_bytes, _BEGINNING_BYTES)))
        if read_bytes > _BEGINNING_BYTES:
            file.seek(max(_BEGINNING_BYTES, read_bytes - _END_BYTES))
            digest.update(file.read(min(_END_BYTES, read_bytes - _BEGINNING_BYTES)))
    return digest.hexdigest()


def read_journal(path: str) -> dict[str, int]:
    """What a journal says was read: positions by name. Lines that a crash or a full disk has torn are none."""
    journal = Path(path)
    if not journal.exists():
        return {}
    read: dict[str, ReadFile] = {}
    for line in journal.read_bytes().split(b"\n"):
        read.update(of_positions(_positions(line)))
    return {one.name(): one.read_bytes for one in read.values()}


def _positions(line: bytes) -> dict[str, int]:
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: at for name, at in found.items() if type(at) is int}


def append_to_journal(path: str, tokens: Sequence[bytes]) -> None:
    """Adds what some batches read, durably. Begins a new line, should the last one be torn."""
    with Path(path).open("ab") as journal:
        journal.write(b"".join(b"\n" + token for token in tokens) + b"\n")
        journal.flush()
        os.fsync(journal.fileno())
