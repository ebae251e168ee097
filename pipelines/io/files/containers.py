"""Reads Avro and Parquet files in another process (container_child.py): what ends that process costs one block.

Starting it takes 0.4 seconds, so it stays for the next file; what it has decoded comes back at some 500 MB a second.
"""

from __future__ import annotations

import json
import marshal
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from pipelines.io.files.container_child import END, FAULT, LENGTH_BYTES, PLACE
from schemas import failure_reasons as reasons
from schemas.event import Failure
from transforms.parse.rows import Damage, unreadable
from transforms.state.process import PROCESS, Registry

_ROOT: Final = Path(__file__).parents[3]
_MOST_DEATHS: Final = 100
_PART_BYTES: Final = 1024 * 1024
_REASONS: Final = {"avro": reasons.MALFORMED_AVRO, "parquet": reasons.MALFORMED_PARQUET}


class ContainerError(Exception):
    """The reading process could not do its work, though the file may be in order."""


def container_messages(path: str, kind: str, source: str) -> Iterator[bytes | Failure]:
    """Every record of a local file as a JSON message, and a failure for what cannot be read.

    Args:
        path: of a local file.
        kind: "avro" or "parquet".
        source: the input as given to --input.

    Raises:
        ContainerError: it is not the file that is to blame.
    """
    bad: list[int] = []
    given = 0
    while True:
        place: int | None = None
        with _Borrowed() as child:
            for frame, content in child.ask({"path": path, "kind": kind, "source": source, "bad": bad, "given": given}):
                if frame == PLACE:
                    place = int(content)
                    continue
                for message in marshal.loads(content):  # noqa: S302 - from our own process
                    given += 1
                    yield Failure(*message) if isinstance(message, tuple) else message
            if not child.died:
                return
        if place is None or place in bad or len(bad) >= _MOST_DEATHS:
            yield from _whole(path, kind, source)
            return
        bad.append(place)


def _whole(path: str, kind: str, source: str) -> Iterator[Failure]:
    with Path(path).open("rb") as file:
        at = 0
        while data := file.read(_PART_BYTES):
            yield from unreadable(_REASONS[kind], Damage("it ends the process", at, data), source, None)
            at += len(data)


class _Child:
    """One process, busy with one file at a time."""

    def __init__(self) -> None:
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.io.files.container_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # std::terminate has a lot to say
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # Ctrl-C is for the job
        )
        self._parent = os.getpid()
        self.died = False
        self._is_done = True

    def give_back(self) -> None:
        if self.died or not self._is_done:
            self.close()
            return
        _IDLE.put(self._process.pid, self)

    def ask(self, request: dict[str, Any]) -> Iterator[tuple[bytes, bytes]]:
        """The frames of an answer. Afterwards `died` says whether the process has ended before the answer did."""
        self._is_done = False
        try:
            self._pipe(self._process.stdin).write(json.dumps(request).encode() + b"\n")
            self._pipe(self._process.stdin).flush()
        except OSError:
            self.died = True
            return
        while True:
            frame = self._frame()
            if frame is None:
                self.died = True
                return
            if frame[0] == FAULT:
                raise ContainerError(frame[1].decode())
            if frame[0] == END:
                self._is_done = True
                return
            yield frame

    def close(self) -> None:
        """Ends the process."""
        if self._parent == os.getpid():
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                self._pipe(pipe).close()

    def _frame(self) -> tuple[bytes, bytes] | None:
        out = self._pipe(self._process.stdout)
        head = out.read(1 + LENGTH_BYTES)
        if len(head) < 1 + LENGTH_BYTES:
            return None
        size = int.from_bytes(head[1:], "big")
        content = out.read(size)
        return (head[:1], content) if len(content) == size else None

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        if pipe is None:
            raise ContainerError("no pipe to the reading process")
        return pipe


class _Borrowed:
    """A child for as long as a file takes; one that is left in the middle of an answer is ended."""

    def __enter__(self) -> _Child:
        self._child = _IDLE.take_any() or _Child()
        return self._child

    def __exit__(self, *_error: object) -> None:
        self._child.give_back()


_IDLE: Registry[int, _Child] = PROCESS.registry(_Child.close, at_exit=True)
