"""Lines of a file: of all of it, or those that start in a range. Memory is bounded by bytes, however long a line is."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any, Final, NamedTuple, overload

CHUNK_BYTES: Final = 8 * 1024 * 1024
"""The longest line that is held as one."""
_READ_BYTES: Final = 256 * 1024
"""What is read at once: its lines stay in the processor's cache (1.0 us per line of 600 bytes; 1.6 with 8 MB)."""
_STEP_BYTES: Final = 64 * 1024


class Lines(Sequence[bytes]):
    """Whole lines without line breaks, and none that is blank; cut apart when one of them is asked for.

    A line is a message, or a body of messages (bodies.py).

    Args:
        data: they, as they stand, with the line break after the last.
    """

    __slots__ = ("_lines", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._lines: list[bytes] | None = None

    def _cut(self) -> list[bytes]:
        if self._lines is None:
            self._lines = [line for line in split_lines(self.data) if line and not line.isspace()]
        return self._lines

    def __len__(self) -> int:
        return len(self._cut())

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._cut())

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        return self._cut()[place]


class PartOfLine(NamedTuple):
    """A part of a line that is too long to be held; `offset` is where in the file it starts."""

    offset: int
    raw: bytes


class Rest(NamedTuple):
    """What follows the last line break of a file, where the range reaches its end; `offset` is where it starts."""

    offset: int
    unfinished: bytes


class CutOffError(Exception):
    """The file ends before the place up to which it was to be read: it was cut while the job ran."""


def read_lines(  # noqa: C901 - one loop over where a line may begin and end
    file: Any, start: int = 0, end: int | None = None, *, begins_line: bool = False
) -> Generator[Lines | PartOfLine, None, Rest]:
    """The lines that start in [start, end), some at a time; end None: all of them.

    Not splitlines(): it also splits at lone carriage returns, which belong to the record.

    Args:
        file: open at its beginning; for a start other than 0 it can seek.
        start: where the range starts, in bytes.
        end: where it ends; the file must be at least that long.
        begins_line: whether the range's start is a line's, whatever comes before it.

    Returns:
        Where the next line starts, and what there is of it at the end of the file.

    Raises:
        CutOffError: the file ends before `end`.
    """
    position = start
    if start and begins_line:
        file.seek(start)
    elif start:
        position = _skip_line(file, start - 1, end)
        if end is not None and position >= end:
            return Rest(position, b"")
        file.seek(position)
    held: list[bytes] = []  # the beginning of a line that goes on
    is_long = False
    while True:
        finishing = end is not None and position >= end
        if finishing and not held and not is_long:
            return Rest(position, b"")
        data = file.read(_STEP_BYTES if finishing else _READ_BYTES if end is None else min(_READ_BYTES, end - position))
        if not data:
            break
        if finishing:
            data = data[: data.find(b"\n") + 1] or data
        position += len(data)
        last = data.rfind(b"\n") + 1
        if not last:
            held.append(data)
            if sum(map(len, held)) > CHUNK_BYTES:
                is_long = True
                yield from _parts(held, position)
                held = []
            continue
        if is_long:
            first = data.find(b"\n")
            yield from _parts([*held, data[:first]], position - len(data) + first)
            held, is_long, data, last = [], False, data[first + 1 :], last - first - 1
        if last:
            yield Lines(b"".join([*held, data[:last]]) if held else data[:last])
            held = []
        held += [data[last:]] if data[last:] else []
        if finishing:
            return Rest(position, b"")
    if end is not None and position < end:
        raise CutOffError(f"it ends at byte {position}, and had {end} when the job began")
    if is_long:
        yield from _parts(held, position)
        return Rest(position, b"")
    unfinished = b"".join(held)
    return Rest(position - len(unfinished), unfinished)


def split_lines(data: bytes) -> list[bytes]:
    """The lines of some bytes that end in a line break, without it."""
    lines = data.split(b"\n")
    lines.pop()
    return [line.removesuffix(b"\r") for line in lines] if b"\r" in data else lines


def _parts(pieces: list[bytes], end: int) -> Iterator[PartOfLine]:
    raw = b"".join(pieces)
    if raw:
        yield PartOfLine(end - len(raw), raw)


def _skip_line(file: Any, start: int, end: int | None) -> int:
    """Where the next line starts after `start`; no further than just beyond `end` is looked for it."""
    file.seek(start)
    position = start
    while end is None or position < end:
        data: bytes = file.read(_STEP_BYTES)
        if not data:
            break
        found = data.find(b"\n")
        if found >= 0:
            return position + found + 1
        position += len(data)
    return position
