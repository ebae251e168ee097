"""What an unbounded source is, apart from Beam: where it stands, how it reads a batch, how it says that one is done."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pipelines.io.stream.watermark import StreamWatermark
from schemas.message import Message


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one reader has read: the next position of each of its partitions.

    A position is an offset (Kafka) or a number of bytes (files). `stops` are the positions to end at, None: no end.
    """

    positions: Mapping[str, int]
    stops: Mapping[str, int] | None = None

    def move_to(self, positions: Mapping[str, int]) -> Progress:
        """The same task, further on."""
        return Progress(positions, self.stops)

    def finished(self) -> bool:
        """Whether every partition has reached its stop. Without stops there is always more to come."""
        return self.stops is not None and all(self.positions[name] >= stop for name, stop in self.stops.items())

    def remaining(self) -> dict[str, int]:
        """The next positions of the partitions that are not at their stop."""
        if self.stops is None:
            return dict(self.positions)
        return {name: at for name, at in self.positions.items() if at < self.stops[name]}


class Reader(NamedTuple):
    """One of the readers that share a source, counted from 0."""

    number: int
    of: int


class Record(NamedTuple):
    """A message and its event time in microseconds UTC, as far as the watermark is concerned."""

    message: Message
    event_us: int


class Batch(NamedTuple):
    """What one read gave.

    `positions` are all partitions' next positions after it. `token` is what `acknowledge` needs once the records are
    durable; empty when there is nothing to acknowledge. `wait_seconds` is how long there will probably be nothing more.
    """

    records: list[Record]
    positions: dict[str, int]
    token: bytes = b""
    wait_seconds: float = 0.0


class StreamSource(Protocol):
    """One unbounded input. Pickled to the workers, so it holds settings only; connections live beside it."""

    @property
    def text(self) -> str:
        """The location as it was given to `--input`."""

    def count_readers(self) -> int:
        """How many readers share the input. Called once, where the job is launched.

        Raises:
            InputError: when the input does not exist or does not answer.
        """

    def start(self, reader: Reader) -> Progress:
        """Where a reader begins: after what was acknowledged before."""

    def read(self, reader: Reader, progress: Progress, watermark: StreamWatermark) -> Batch:
        """Reads what comes after `progress`, bounded in number, bytes and time, and tells the watermark of it."""

    def acknowledge(self, tokens: Sequence[bytes]) -> None:
        """Tells the outside that batches are durable and need not come again. May be called late and out of order."""


def now_us() -> int:
    """The present, in microseconds since the epoch."""
    return time.time_ns() // 1_000
