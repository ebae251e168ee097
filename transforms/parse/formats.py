"""What a file holds, by its first bytes: gzip, Avro, Parquet, lines or documents of JSON. Names decide little.

Comes first in reading a file. A name says one thing only: `.ndjson` and `.jsonl` are read by lines, whatever the first
line looks like; other text is read by documents (documents.py) unless its first line is a whole object.
"""

from __future__ import annotations

from typing import IO, Any, Final, Literal, NamedTuple

import orjson

from transforms.parse.gunzip import GZIP_MAGIC, Gunzip

Kind = Literal["lines", "documents", "avro", "parquet", "utf16", "packed"]

HEAD_BYTES: Final = 64 * 1024
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_AVRO: Final = b"Obj\x01"
_PARQUET: Final = b"PAR1"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
# What nobody would take for events, and what it is.
PACKED: Final = {
    b"PK\x03\x04": "a ZIP archive",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ\x00": "packed by xz",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"SQLite format 3\x00": "a SQLite database",
}
_LINES: Final = (".ndjson", ".jsonl")
_BY_NAME: Final[dict[str, Kind]] = {".avro": "avro", ".parquet": "parquet"}


class Content(NamedTuple):
    """What a file holds, and the bytes of it, unpacked where `gunzip` is there."""

    kind: Kind
    file: IO[bytes]
    gunzip: Gunzip | None


class Ahead:
    """A file, of which some was read already, from its beginning."""

    def __init__(self, head: bytes, file: Any) -> None:
        self._head = head
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """As `read` of a file: all for a negative size, nothing at the end."""
        if not self._head:
            more: bytes = self._file.read(size)
            return more
        if size < 0:
            whole: bytes = self._head + self._file.read()
            self._head = b""
            return whole
        data, self._head = self._head[:size], self._head[size:]
        return data


def open_content(file: Any, name: str) -> Content:
    """What an open file holds.

    Args:
        file: open for reading, at its beginning.
        name: the file's name or path.
    """
    head = read_head(file)
    whole: Any = Ahead(head, file)
    if not head.startswith(GZIP_MAGIC):
        return Content(kind_of(head, name), whole, None)
    gunzip = Gunzip(whole)
    inside = read_head(gunzip)
    return Content(kind_of(inside, name.lower().removesuffix(".gz")), Ahead(inside, gunzip), gunzip)  # type: ignore[arg-type]


def read_head(file: Any) -> bytes:
    """The first bytes of a file, fewer only where there are no more."""
    head = b""
    while len(head) < HEAD_BYTES and (more := file.read(HEAD_BYTES - len(head))):
        head += more
    return head


def kind_of(head: bytes, name: str) -> Kind:
    """What a file with these first bytes holds. Of a damaged container only the name is left to tell."""
    lower = name.lower()
    by_name = next((kind for ending, kind in _BY_NAME.items() if lower.endswith(ending)), None)
    if head.startswith(_AVRO):
        return "avro"
    if head.startswith(_PARQUET):
        return "parquet"
    if head.startswith(_UTF16):
        return "utf16"
    if head.startswith(tuple(PACKED)):
        return "packed"
    if by_name is not None and not _looks_like_text(head):
        return by_name
    if lower.endswith(_LINES) or _first_line_is_whole(head):
        return "lines"
    return "documents"


def is_known(head: bytes) -> bool:
    """Whether the first bytes are those of something that can be read: for files whose name says nothing."""
    start = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    return head.startswith((GZIP_MAGIC, _AVRO, _PARQUET, *_UTF16)) or start.startswith((b"{", b"["))


def _looks_like_text(head: bytes) -> bool:
    return head.removeprefix(BYTE_ORDER_MARK).lstrip().startswith((b"{", b"["))


def _first_line_is_whole(head: bytes) -> bool:
    line = next((line for line in head.removeprefix(BYTE_ORDER_MARK).split(b"\n") if line.strip()), b"")
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False
