"""The process in which Avro and Parquet are decoded: a hostile or damaged file can end it, and nothing else.

`python -m pipelines.io.files.container_child`, started by containers.py. Knows no Beam. One request a line on its
input, as JSON; on its output frames: a letter, eight bytes of length, and the content.

| letter | content |
| --- | --- |
| `p` | where in the file decoding is now: a row group's number, a block's offset (JSON) |
| `m` | messages: a marshalled list of bytes, and of tuples for failures |
| `x` | what went wrong, as text: not with the file, but with us or the disk |
| `e` | nothing: the file is through |
"""

from __future__ import annotations

import json
import marshal
import os
import sys
import traceback
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from transforms.parse.avro import avro_messages
from transforms.parse.parquet import parquet_messages

PLACE, MESSAGES, FAULT, END = b"p", b"m", b"x", b"e"
LENGTH_BYTES: Final = 8
_FRAME_BYTES: Final = 1024 * 1024
_READERS: Final[dict[str, Any]] = {"avro": avro_messages, "parquet": parquet_messages}


class _Sender:
    """Gathers messages into frames."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._held: list[Any] = []
        self._size = 0

    def add(self, message: Any) -> None:
        is_failure = isinstance(message, tuple)
        self._held.append(tuple(message) if is_failure else message)
        self._size += len(message.raw if is_failure else message)
        if self._size >= _FRAME_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._held:
            self.frame(MESSAGES, marshal.dumps(self._held))
            self._held, self._size = [], 0

    def frame(self, letter: bytes, content: bytes = b"") -> None:
        self._out.write(letter + len(content).to_bytes(LENGTH_BYTES, "big") + content)
        self._out.flush()

    def place(self, at: int) -> None:
        self.flush()
        self.frame(PLACE, str(at).encode())


def answer(request: dict[str, Any], out: IO[bytes]) -> None:
    """Reads one file."""
    sender = _Sender(out)
    try:
        with Path(request["path"]).open("rb") as file:
            bad = frozenset(request["bad"])
            found = _READERS[request["kind"]](file, request["source"], begin=sender.place, bad=bad)
            for message in islice(found, request["given"], None):
                sender.add(message)
        sender.flush()
    except Exception:  # noqa: BLE001 - told to the one who asked, who raises it
        sender.frame(FAULT, traceback.format_exc().encode())
        return
    sender.frame(END)


def main() -> None:
    """Answers until the input ends: the parent is gone or needs nothing more."""
    # What libraries print must not get between the frames.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        answer(json.loads(line), out)


if __name__ == "__main__":
    main()
