"""What a destination can do, whatever its kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from pipelines.io.destinations.client import Clock, Later, Stop
from transforms.activation.rows import PENDING, Change, Outcome

Item = TypeVar("Item")
Result = TypeVar("Result")


class SettingsError(ValueError):
    """A destination's settings cannot be used. The text names the setting."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a destination works in: a clock, and the network or what a test puts in its place."""

    clock: Clock = field(default_factory=Clock)
    transport: httpx.BaseTransport | None = None


class Connection(ABC):
    """A destination that is connected. Each request may be repeated: it asks for a state.

    Attributes:
        batch_size: the most changes that one call of `send` takes.
    """

    batch_size: int = 100

    @abstractmethod
    def send(self, changes: Sequence[Change]) -> list[Outcome]:
        """Makes changes, all of one kind; one outcome for each, whatever became of the others.

        Raises:
            Stop: nothing more can be sent in this run.
        """

    def record_id(self, identifier: str) -> str:
        """The id of the identifier's record, where it follows from the identifier; else ""."""
        return ""

    def read_back(self, segments: Sequence[str]) -> dict[str, dict[str, str]] | None:
        """Who is in which segment by the destination itself: identifiers by their hash. None: it cannot be asked.

        Raises:
            Later: it did not answer.
        """
        return None

    @abstractmethod
    def close(self) -> None:
        """Hangs up."""


def in_parallel(call: Callable[[Item], Result], items: Iterable[Item], threads: int) -> list[Result]:
    """The results in order. The first exception ends it."""
    with ThreadPoolExecutor(max_workers=threads) as pool:
        return list(pool.map(call, items))


def one_by_one(call: Callable[[Change], Outcome], changes: Sequence[Change], threads: int) -> list[Outcome]:
    """Outcomes of changes that are requests of their own. What was not answered is pending; who stops, stops all."""
    stopped: list[Stop] = []

    def tried(change: Change) -> Outcome:
        if stopped:
            return Outcome(change, PENDING, str(stopped[0]))
        try:
            return call(change)
        except Stop as stop:
            stopped.append(stop)
            return Outcome(change, PENDING, str(stop))
        except Later as later:
            return Outcome(change, PENDING, str(later))

    return in_parallel(tried, changes, threads)


def halved(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Both halves, to find the one that spoils the whole."""
    middle = len(items) // 2
    yield from (part for part in (items[:middle], items[middle:]) if part)


def all_pending(changes: Sequence[Change], later: Later) -> list[Outcome]:
    """What became of changes whose request was not answered.

    Raises:
        Stop: `later` is one.
    """
    if isinstance(later, Stop):
        raise later
    return [Outcome(change, PENDING, str(later)) for change in changes]
