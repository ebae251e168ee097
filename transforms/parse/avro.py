"""Reads Avro object container files of events (schemas/envelope.avsc, or any schema with the wire's field names).

A file is read block by block. A block that cannot be decoded is one malformed_avro failure with its bytes; where the
file's structure itself is broken, so is everything up to the next synchronisation marker. Reading goes on after it.
What a value means (an instant, a decimal) is decided by logical_types.py, so that no value costs its block.

A hostile file can make fastavro end the process: read files that may be damaged where that costs nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import IO, Any, Final

import fastavro
import orjson

from schemas import failure_reasons as reasons
from schemas.event import Failure
from transforms.parse.logical_types import with_our_readers
from transforms.parse.rows import Attributes, Damage, Row, json_message, unreadable

_SYNC_BYTES: Final = 16
_CHUNK_BYTES: Final = 64 * 1024


def avro_messages(
    file: IO[bytes],
    source: str,
    attributes: Attributes | None = None,
    begin: Callable[[int], None] = lambda _offset: None,
    bad: frozenset[int] = frozenset(),
) -> Iterator[bytes | Failure]:
    """Every record of an Avro file as the JSON message that it stands for, and a failure for what cannot be read.

    Args:
        file: open for reading; it need not be seekable.
        source: the input as given to --input.
        attributes: attributes of the file, for failures.
        begin: called with the place of each block in the file before it is decoded.
        bad: places of blocks that are not to be decoded: the process did not survive it.
    """
    for part in _parts(file, begin, bad):
        if isinstance(part, Damage):
            yield from unreadable(reasons.MALFORMED_AVRO, part, source, attributes)
        else:
            for row in part:
                yield json_message(row)


class _Recorder:
    """A file that remembers what was read since the last good block, so that bad bytes are not lost."""

    def __init__(self, file: IO[bytes], ahead: bytes = b"", offset: int = 0) -> None:
        self._file = file
        self._ahead = ahead
        self._pieces: list[bytes] = []
        self.offset = offset

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            data = self._ahead + self._file.read()
            self._ahead = b""
        else:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
            while len(data) < size and (more := self._file.read(size - len(data))):
                data += more
        self._pieces.append(data)
        return data

    def tell(self) -> int:
        return self.offset + sum(map(len, self._pieces))

    def take(self) -> bytes:
        """What was read since the last call."""
        taken = b"".join(self._pieces)
        self.offset += len(taken)
        self._pieces.clear()
        return taken

    def taken(self) -> bytes:
        """What `take` would give."""
        return b"".join(self._pieces)

    def after(self, data: bytes, offset: int) -> _Recorder:
        """The same file, once more from `data` on, which was read too far; `offset` is where that is in the file."""
        return _Recorder(self._file, data + self._ahead, offset)


def _parts(file: IO[bytes], begin: Callable[[int], None], bad: frozenset[int]) -> Iterator[list[Row] | Damage]:
    recorder = _Recorder(file)
    try:
        metadata = fastavro.block_reader(recorder).metadata
        sync = recorder.taken()[-_SYNC_BYTES:]
        header = _header(metadata, sync)
        length = len(recorder.take())
        recorder = recorder.after(header, length - len(header))
        reader = fastavro.block_reader(recorder, handle_unicode_errors="surrogateescape")
        recorder.take()
    except Exception as error:  # noqa: BLE001 - corrupt bytes raise nearly anything; none of it is dropped
        yield from _whole(type(error).__name__, recorder)
        return
    while True:
        damage = yield from _blocks(reader, recorder, begin, bad)
        if damage is None:
            return
        lost, rest = _split_at_sync(damage.raw, sync, recorder)
        yield Damage(damage.kind, damage.offset, lost)
        # fastavro starts at a header only: it gets the old one again.
        recorder = recorder.after(header + rest, damage.offset + len(lost) - len(header))
        reader = fastavro.block_reader(recorder, handle_unicode_errors="surrogateescape")
        recorder.take()


def _header(metadata: dict[str, str], sync: bytes) -> bytes:
    """The file's header again, with a schema whose values are read by our own readers."""
    changed = metadata | {"avro.schema": orjson.dumps(with_our_readers(orjson.loads(metadata["avro.schema"]))).decode()}
    pairs = [(name.encode(), value.encode()) for name, value in changed.items()]
    members = b"".join(_long(len(text)) + text for pair in pairs for text in pair)
    return b"Obj\x01" + _long(len(pairs)) + members + b"\0" + sync


def _long(number: int) -> bytes:
    """A number of 0 or more as Avro writes it."""
    number *= 2
    digits = bytearray()
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def _whole(kind: str, recorder: _Recorder) -> Iterator[Damage]:
    """A file of which nothing can be read, in parts."""
    while recorder.read(_CHUNK_BYTES * 16 - len(recorder.taken())):
        offset = recorder.offset
        yield Damage(kind, offset, recorder.take())
    if recorder.taken() or not recorder.offset:
        offset = recorder.offset
        yield Damage(kind, offset, recorder.take())


def _blocks(
    reader: Any, recorder: _Recorder, begin: Callable[[int], None], bad: frozenset[int]
) -> Generator[list[Row] | Damage, None, Damage | None]:
    """Whole blocks: what comes out of one that breaks in the middle is not to be trusted.

    Returns:
        The bytes after which the file's structure is lost, or None at its end.
    """
    while True:
        start = recorder.offset
        try:
            block = next(reader, None)
        except Exception as error:  # noqa: BLE001 - as above
            return Damage(f"{type(error).__name__}, codec {reader.codec}", start, recorder.take())
        raw = recorder.take()
        if block is None:
            return Damage("EOFError", start, raw) if raw else None
        begin(start)
        if start in bad:
            yield Damage("it ends the process", start, raw)
            continue
        try:
            rows = list(block)
        except Exception as error:  # noqa: BLE001 - as above
            yield Damage(f"{type(error).__name__}, codec {reader.codec}", start, raw)
            continue
        # A block that holds more than it says, or no records at all, would lose them without an error.
        if block.bytes_.read() or not all(isinstance(row, dict) for row in rows):
            yield Damage("not the records that it announces", start, raw)
        else:
            yield rows


def _split_at_sync(raw: bytes, sync: bytes, recorder: _Recorder) -> tuple[bytes, bytes]:
    """The bytes up to the end of the next synchronisation marker, and what was read beyond it."""
    pool = bytearray(raw)
    position = pool.find(sync)
    while position < 0:
        more = recorder.read(_CHUNK_BYTES)
        if not more:
            return bytes(pool), b""
        searched = max(len(pool) - _SYNC_BYTES + 1, 0)
        pool += more
        position = pool.find(sync, searched)
    end = position + _SYNC_BYTES
    return bytes(pool[:end]), bytes(pool[end:])
