"""JSON values of a file that is not one object a line: arrays, pretty-printed objects, one after another, with commas.

Finds where each value begins and ends, and nothing more: the parser decides whether it is an event. A value that never
ends properly ends where the next one begins: at a line that begins as its own first line did, else where an object
follows an object.

Fast where each line holds one value (1.5 us); 20 us for an event of 600 bytes that has to be scanned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from transforms.parse.lines import CHUNK_BYTES, PartOfLine

_READ_BYTES: Final = 1024 * 1024
_LONGEST_TRY_BYTES: Final = 64 * 1024
# How far the end of a value is looked for, once a line has come that begins as the value's own first line did.
_PATIENCE_BYTES: Final = 256 * 1024
_INDENT_BYTES: Final = 1024
_TOKEN: Final = re.compile(rb'"(?:[^"\\\n]|\\[^\n])*"|[{}\[\]"]')
_BETWEEN: Final = re.compile(rb"[\s,]*")
_SCALAR: Final = re.compile(rb'(?:"(?:[^"\\\n]|\\[^\n])*"|[^\s,\]\[{}"]+)(?=[ \t\r]*(?:[,\]\n]|\Z))')
_RUBBISH: Final = re.compile(rb"[^\n][^\n{]*")
_ARRAY_OF_OBJECTS: Final = re.compile(rb"\[\s*[\[{]")
_OBJECT_AFTER_OBJECT: Final = re.compile(rb"\}\s*,?\s*(?=\{)")
_CLOSES: Final = {b"}": b"{", b"]": b"["}


class _NeedsMoreError(Exception):
    """The value goes on beyond what was read."""


def read_documents(file: Any) -> Iterator[bytes | PartOfLine]:
    """Every JSON value of a file, or of the arrays at its top, as it stands there."""
    scanner = _Scanner(file)
    while (value := scanner.next()) is not None:
        yield value


class _Scanner:
    def __init__(self, file: Any) -> None:
        self._file = file
        self._data = b""
        self._at = 0
        self._start_of_data = 0
        self._ended = False
        self._depth = 0  # of the arrays around the values
        self._tried_until = -1  # a line of several values is tried as one value once
        self._read()
        self._at = 3 if self._data.startswith(b"\xef\xbb\xbf") else 0

    def next(self) -> bytes | PartOfLine | None:
        while True:
            self._skip_between()
            if self._at >= len(self._data):
                return None
            first = self._data[self._at : self._at + 1]
            if first == b"[" and (not self._depth or _ARRAY_OF_OBJECTS.match(self._data, self._at)):
                self._depth, self._at = self._depth + 1, self._at + 1
            elif first == b"]" and self._depth:
                self._depth, self._at = self._depth - 1, self._at + 1
            elif first in (b"{", b"["):
                return self._line() or self._value()
            else:
                return self._other()

    def _skip_between(self) -> None:
        while True:
            match = _BETWEEN.match(self._data, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._data) or not self._read():
                return

    def _read(self, size: int = _READ_BYTES) -> bool:
        """Adds to what is held; False at the end of the file."""
        more = b"" if self._ended else self._file.read(size)
        self._ended = not more
        if more:
            # A little before the value is kept, which says how its line begins.
            gone = max(self._at - _INDENT_BYTES, 0)
            self._data = self._data[gone:] + more
            self._start_of_data += gone
            self._tried_until -= gone
            self._at -= gone
        return bool(more)

    def _line(self) -> bytes | None:
        """The value, if the rest of the line is exactly one."""
        if self._at < self._tried_until:
            return None
        end = self._data.find(b"\n", self._at, self._at + _LONGEST_TRY_BYTES)
        if end < 0 and self._ended and len(self._data) - self._at <= _LONGEST_TRY_BYTES:
            end = len(self._data)
        if end < 0:
            # A longer line holds several values, or one that is scanned anyway.
            self._tried_until = self._at + _LONGEST_TRY_BYTES
            return None
        self._tried_until = end
        line = self._data[self._at : end].rstrip(b", \t\r")
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError:
            return None
        self._at += len(line)
        return line

    def _value(self) -> bytes | PartOfLine:
        while True:
            try:
                return self._take(self._find_end())
            except _NeedsMoreError:
                if len(self._data) - self._at > CHUNK_BYTES:
                    return self._take(self._at + CHUNK_BYTES, long=True)
                if not self._read(max(_READ_BYTES, len(self._data) - self._at)):
                    return self._take(self._cut_off(len(self._data)))

    def _take(self, end: int, *, long: bool = False) -> bytes | PartOfLine:
        start, self._at = self._at, end
        raw = self._data[start:end]
        return PartOfLine(self._start_of_data + start, raw) if long else raw.rstrip(b", \t\r\n")

    def _find_end(self) -> int:
        opened: list[bytes] = []
        twin: int | None = None  # where a line begins as this value's first line does
        indent = self._indent()
        after = self._at
        for token in _TOKEN.finditer(self._data, self._at):
            mark = token[0]
            if mark in (b"{", b"["):
                if indent is not None and opened and twin is None and self._begins_alike(token.start(), indent):
                    twin = token.start()
                    if self._is_event(twin):
                        return twin
                opened.append(mark)
            elif mark in (b"}", b"]"):
                if not opened or opened.pop() != _CLOSES[mark]:
                    return self._cut_off(token.start() + (not opened), twin)
                if not opened:
                    return token.end()
            elif mark == b'"':
                if not self._ended and self._data.find(b"\n", token.start()) < 0:
                    raise _NeedsMoreError
                return self._cut_off(token.end(), twin)
            after = token.end()
            if twin is not None and after - twin > _PATIENCE_BYTES:
                return twin
        raise _NeedsMoreError

    def _cut_off(self, fault: int, twin: int | None = None) -> int:
        """Where a value ends that does not end properly; `fault`: where that was noticed."""
        if twin is not None:
            return twin
        indent = self._indent()
        if indent is not None:
            alike = re.compile(rb"\n" + re.escape(indent) + rb"(?=\{)").search(self._data, self._at)
            if alike:
                return alike.end()
        match = _OBJECT_AFTER_OBJECT.search(self._data, self._at, min(fault + _LONGEST_TRY_BYTES, len(self._data)))
        if match:
            return match.end()
        line = self._data.find(b"\n", fault)
        if line < 0 and not self._ended:
            raise _NeedsMoreError
        return line + 1 if line >= 0 else len(self._data)

    def _indent(self) -> bytes | None:
        """The white space before the value, if it begins its line."""
        line = self._data.rfind(b"\n", max(self._at - _INDENT_BYTES, 0), self._at) + 1
        if not line and self._at > _INDENT_BYTES:
            return None
        before = self._data[line : self._at]
        return before if not before.strip() else None

    def _begins_alike(self, place: int, indent: bytes) -> bool:
        return place > len(indent) and self._data[place - len(indent) - 1 : place] == b"\n" + indent

    def _is_event(self, place: int) -> bool:
        """Whether the line from here on is an event, by its looks."""
        end = self._data.find(b"\n", place)
        line = self._data[place : end if end >= 0 else len(self._data)].rstrip(b", \t\r")
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            return False
        return isinstance(value, dict) and "type" in value and "messageId" in value

    def _other(self) -> bytes | PartOfLine:
        """What is no object and no array: a scalar, or rubbish up to the end of the line or the next object."""
        match = _SCALAR.match(self._data, self._at)
        if match:
            end = match.end()
        else:
            rubbish = _RUBBISH.match(self._data, self._at)
            end = rubbish.end() if rubbish else len(self._data)
        return self._take(end)
