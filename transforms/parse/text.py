"""Records of text files: lines, documents, and words for what is neither. The one reader of JSON files."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final, TypeVar

import orjson

from schemas import failure_reasons as reasons
from schemas.event import Failure
from transforms.parse.bodies import split_body
from transforms.parse.documents import read_documents
from transforms.parse.formats import PACKED, Content
from transforms.parse.gunzip import Gunzip
from transforms.parse.lines import CHUNK_BYTES, Lines, PartOfLine, Rest, read_lines

_PART_BYTES: Final = 1024 * 1024
_UTF16: Final = ": the file is UTF-16, as PowerShell writes it; expected UTF-8: iconv -f utf-16 -t utf-8"


def text_messages(content: Content, source: str) -> Iterator[bytes | Failure]:
    """Every record of a file that is no container, and a failure for what cannot be read.

    Args:
        content: of the kinds lines, documents, utf16, packed.
        source: the input as given to --input.
    """
    unfinished = b""
    if content.kind == "lines":
        _, unfinished = yield from _each(line_messages(read_lines(content.file), source), iter)
    elif content.kind == "documents":
        unfinished = yield from _documents(content, source)
    else:
        yield from _unreadable_text(content, source)
    if content.gunzip is not None and content.gunzip.damage:
        yield from gzip_failures(content.gunzip, unfinished, source)
    elif unfinished.strip():
        yield from split_body(unfinished)


def line_messages(
    groups: Generator[Lines | PartOfLine, None, Rest], source: str
) -> Generator[Sequence[bytes | Failure], None, Rest]:
    """The records among lines, some at a time; what `read_lines` returns."""

    def records(lines: Lines | PartOfLine) -> tuple[Sequence[bytes | Failure]]:
        return ([_part(lines, source)] if isinstance(lines, PartOfLine) else [*messages_of(lines)],)

    return _each(groups, records)


def messages_of(group: Sequence[bytes | Failure]) -> Iterable[bytes | Failure]:
    """The messages of a group, one by one: those of its lines, and those in bodies."""
    return chain.from_iterable(map(split_body, group)) if isinstance(group, Lines) else group


def range_groups(
    groups: Generator[Lines | PartOfLine, None, Rest], source: str
) -> Generator[Sequence[bytes | Failure], None, Rest]:
    """As `line_messages`, but lines stay as they are, bodies as well."""

    def parts(lines: Lines | PartOfLine) -> tuple[Sequence[bytes | Failure]]:
        return ([_part(lines, source)] if isinstance(lines, PartOfLine) else lines,)

    return _each(groups, parts)


Given = TypeVar("Given")
Item = TypeVar("Item")
Returned = TypeVar("Returned")


def _each(
    given: Generator[Given, None, Returned], items: Callable[[Given], Iterable[Item]]
) -> Generator[Item, None, Returned]:
    """What each given thing comes to, one by one; what the generator returns."""
    while True:
        try:
            one = next(given)
        except StopIteration as end:
            returned: Returned = end.value
            return returned
        yield from items(one)


def _documents(content: Content, source: str) -> Generator[bytes | Failure, None, bytes]:
    """The records among documents. Returns the last one where it may be cut off: what is packed ends before it does."""
    held: list[bytes | PartOfLine] = []
    for value in chain(read_documents(content.file), (b"",)):
        for one in held:
            if isinstance(one, PartOfLine):
                yield _part(one, source)
            elif not value and content.gunzip is not None and content.gunzip.damage and not _is_json(one):
                return one
            else:
                yield from split_body(one)
        held = [value]
    return b""


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def gzip_failures(gunzip: Gunzip, unfinished: bytes, source: str) -> Iterator[Failure]:
    """What of a gzipped file could not be unpacked, after the record that was being read. In parts of about 1 MiB."""
    start = None
    for part in gunzip.rest():
        start, end = part.offset, part.offset + len(part.raw)
        error = f": bytes {start} to {end} of the file cannot be read ({part.kind})"
        yield _failure(reasons.MALFORMED_GZIP, error, unfinished + part.raw, source)
        unfinished = b""
    if start is None:
        error = f": the file ends at byte {gunzip.offset}, before its content does (gzip: {gunzip.damage})"
        yield _failure(reasons.MALFORMED_GZIP, error, unfinished, source)


def _unreadable_text(content: Content, source: str) -> Iterator[Failure]:
    error = _UTF16 if content.kind == "utf16" else ""
    while data := content.file.read(_PART_BYTES):
        what = next((words for start, words in PACKED.items() if data.startswith(start)), "")
        error = error or f": the file is {what}; expected JSON, Avro or Parquet, plain or gzipped"
        yield _failure(reasons.NOT_UTF8, error, data, source)


def _part(part: PartOfLine, source: str) -> Failure:
    end = part.offset + len(part.raw)
    error = f": bytes {part.offset} to {end} of the file are part of a record of more than {CHUNK_BYTES} bytes"
    return _failure(reasons.TOO_LARGE, error, part.raw, source)


def _failure(reason: str, error: str, raw: bytes, source: str, attributes: dict[str, Any] | None = None) -> Failure:
    return Failure(reason, (error,), "parse", None, raw, attributes or {}, source, None)
