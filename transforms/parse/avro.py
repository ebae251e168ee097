"""Reads Avro object container files of events (schemas/envelope.avsc, or any schema with the wire's field names).

A file is read block by block. A block that cannot be decoded is one malformed_avro failure with its bytes; where the
file's structure itself is broken, so is everything up to the next synchronisation marker. Reading goes on after it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import IO, Any, Final

import fastavro

from schemas import failure_reasons as reasons
from schemas.event import Failure
from transforms.parse.events import Attributes
from transforms.parse.rows import Damage, Row, json_message, unreadable

_SYNC_BYTES: Final = 16
_CHUNK_BYTES: Final = 64 * 1024


def avro_messages(file: IO[bytes], source: str, attributes: Attributes | None = None) -> Iterator[bytes | Failure]:
    """Every record of an Avro file as the JSON message that it stands for, and a failure for what cannot be read.

    Args:
        file: open for reading; it need not be seekable.
        source: the input as given to --input.
        attributes: attributes of the file, for failures.
    """
    for part in _parts(file):
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

    def after(self, data: bytes, offset: int) -> _Recorder:
        """The same file, once more from `data` on, which was read too far; `offset` is where that is in the file."""
        return _Recorder(self._file, data + self._ahead, offset)


def _parts(file: IO[bytes]) -> Iterator[list[Row] | Damage]:
    recorder = _Recorder(file)
    try:
        reader = fastavro.block_reader(recorder, handle_unicode_errors="surrogateescape")
    except Exception as error:  # noqa: BLE001 - corrupt bytes raise nearly anything; none of it is dropped
        recorder.read()
        yield Damage(type(error).__name__, 0, recorder.take())
        return
    header = recorder.take()
    while True:
        damage = yield from _blocks(reader, recorder)
        if damage is None:
            return
        bad, rest = _split_at_sync(damage.raw, header[-_SYNC_BYTES:], recorder)
        yield Damage(damage.kind, damage.offset, bad)
        # fastavro starts at a header only: it gets the old one again.
        recorder = recorder.after(header + rest, damage.offset + len(bad) - len(header))
        reader = fastavro.block_reader(recorder, handle_unicode_errors="surrogateescape")
        recorder.take()


def _blocks(reader: Any, recorder: _Recorder) -> Generator[list[Row] | Damage, None, Damage | None]:
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
