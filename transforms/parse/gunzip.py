"""Unpacks gzip as far as it can be unpacked: several members, cut-off files, damage, and what follows the last member.

Python's own GzipFile raises at the first fault, and what it had unpacked of that block is lost.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Final

from transforms.parse.rows import Damage

GZIP_MAGIC: Final = b"\x1f\x8b"
_CHUNK_BYTES: Final = 64 * 1024
_MOST_OUT_BYTES: Final = 1024 * 1024
_GZIP_WINDOW: Final = 31


class Gunzip:
    """A gzipped file as a file of its content. `read` ends where it is damaged; then `damage` says where and how."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._decoder = zlib.decompressobj(_GZIP_WINDOW)
        self._packed = b""  # read, not unpacked yet
        self._unpacked = b""
        self._offset = 0  # of what is in _packed
        self._in_member = False
        self._kind: str | None = None

    def read(self, size: int = -1) -> bytes:
        """As `read` of a file: all for a negative size, nothing at the end."""
        pieces = []
        while size and (piece := self._unpacked or self._more()):
            taken = piece if size < 0 else piece[:size]
            self._unpacked = piece[len(taken) :]
            pieces.append(taken)
            if size > 0:
                size -= len(taken)
        return b"".join(pieces)

    @property
    def damage(self) -> str | None:
        """What is wrong; None while nothing is."""
        return self._kind

    @property
    def offset(self) -> int:
        """Up to which byte of the packed file it was unpacked."""
        return self._offset

    def rest(self) -> Iterator[Damage]:
        """The packed bytes that were not unpacked, in parts."""
        while data := self._packed or self._file.read(_MOST_OUT_BYTES):
            self._packed = b""
            yield Damage(f"gzip: {self._kind}", self._offset, data)
            self._offset += len(data)

    def _more(self) -> bytes:
        """The next unpacked bytes; none at the end."""
        while self._kind is None:
            if not self._packed:
                self._packed = self._file.read(_CHUNK_BYTES)
                if not self._packed:
                    return self._end()
            if not self._in_member and not self._begin_member():
                continue
            unpacked = self._unpack()
            if unpacked:
                return unpacked
        return b""

    def _begin_member(self) -> bool:
        """Whether a member begins at what was read; zeros between members are padding."""
        stripped = self._packed.lstrip(b"\0") if self._offset else self._packed
        self._offset += len(self._packed) - len(stripped)
        self._packed = stripped
        if len(stripped) == 1:
            self._packed += self._file.read(_CHUNK_BYTES)
        if not self._packed:
            return False
        if not self._packed.startswith(GZIP_MAGIC):
            self._kind = "what follows its last member is no gzip"
            return False
        self._decoder = zlib.decompressobj(_GZIP_WINDOW)
        self._in_member = True
        return True

    def _unpack(self) -> bytes:
        before = self._decoder.copy()
        try:
            unpacked = self._decoder.decompress(self._packed, _MOST_OUT_BYTES)
        except zlib.error as error:
            return self._up_to_the_fault(before, str(error).rpartition(": ")[2])
        left = self._decoder.unused_data if self._decoder.eof else self._decoder.unconsumed_tail
        self._offset += len(self._packed) - len(left)
        self._packed = left
        self._in_member = not self._decoder.eof
        return unpacked

    def _up_to_the_fault(self, decoder: Any, kind: str) -> bytes:
        """What can still be unpacked before the byte at which it goes wrong."""
        self._kind = kind
        unpacked = []
        for place in range(len(self._packed)):
            try:
                unpacked.append(decoder.decompress(self._packed[place : place + 1]))
            except zlib.error:
                self._offset += place
                self._packed = self._packed[place:]
                break
        return b"".join(unpacked)

    def _end(self) -> bytes:
        if self._in_member:
            self._kind = "it is cut off"
            try:
                return self._decoder.flush()
            except zlib.error:
                return b""
        return b""
