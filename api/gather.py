"""Makes the events of many requests safe together.

All requests that wait share one write (a group); the next group gathers meanwhile. One thread writes, so that the
event loop never waits for a disk or a broker. A request is answered when the write that holds its events has returned.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

RETRY_SECONDS = 5
"""When clients are to try again what was not taken."""
PUT_SECONDS = 10.0
"""How long a request waits: clients give up soon after, and not to know is worse for them than to try again."""
MOST_WAITING = 20_000
"""More requests than that are not made to wait."""
MOST_WAITING_BYTES = 128_000_000
"""Nor more events than that: with a broker that is away, a write may last for a minute."""
_LOGGER = logging.getLogger(__name__)


class TargetAway(Exception):  # noqa: N818 - a state that passes, and told to the client as such
    """The events were not taken: the broker is away, the disk is full. They may be sent again.

    Some may have been taken all the same, so they are sent again with the same message ids.
    """


class Writer(Protocol):
    """A place for events, used from one thread."""

    def open(self) -> None:
        """Gets ready. Raises OSError if it never can."""

    def write(self, events: Sequence[bytes]) -> None:
        """Takes events. When it returns, all of them are safe. Raises one of `Gather`'s failures if they are not."""

    def rest(self) -> float | None:
        """Does what is due between groups. Returns after how many seconds to ask again; None: not before a write."""

    def check(self) -> str:
        """Nothing if it could take events now, else what stands in the way."""

    def close(self) -> None:
        """Ends it."""


_Waiting = dict["asyncio.Future[None]", Sequence[bytes]]


class Gather:
    """`put` for many requests at once, over a writer for one.

    Args:
        writer: makes groups safe.
        failures: what it raises when it cannot for now. Anything else is a fault of the program, and told the same way.
        took: is told of each group that was written: events, bytes, seconds.
    """

    def __init__(
        self,
        writer: Writer,
        failures: tuple[type[Exception], ...] = (OSError,),
        took: Callable[[int, int, float], None] = lambda events, size_bytes, seconds: None,
    ) -> None:
        self._writer = writer
        self._failures = failures
        self._took = took
        self._waiting: _Waiting = {}
        self._held_bytes = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="events")
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Starts.

        Raises:
            OSError: the place cannot be used.
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.open)
        self._task = asyncio.create_task(self._write_groups())

    async def put(self, events: Sequence[bytes]) -> None:
        """Returns when all events are safe.

        Raises:
            TargetAway: they are not known to be.
        """
        if not events:
            return
        if self._closing:
            raise TargetAway("the server is stopping")
        if len(self._waiting) >= MOST_WAITING or self._held_bytes >= MOST_WAITING_BYTES:
            raise TargetAway("too many requests wait")
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[taken] = events
        self._held_bytes += _size(events)
        self._wake.set()
        try:
            await asyncio.wait_for(taken, PUT_SECONDS)
        except TimeoutError:
            raise TargetAway("no acknowledgement in time") from None
        finally:
            # Whoever has gone or waited too long was told that nothing is sure: what no write has taken is let go of.
            if self._waiting.pop(taken, None) is not None:
                self._held_bytes -= _size(events)

    async def check(self) -> str:
        """Nothing if events could be taken now, else what stands in the way."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.check)

    async def close(self) -> None:
        """Ends, once what waits is safe or refused."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown()

    async def _write_groups(self) -> None:
        loop = asyncio.get_running_loop()
        left: float | None = None
        while self._waiting or not self._closing:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), left)
            self._wake.clear()
            group, self._waiting = self._waiting, {}
            if group:
                events = [event for some in group.values() for event in some]
                failure = await loop.run_in_executor(self._thread, self._write, events)
                self._held_bytes -= _size(events)
                _answer(group, failure)
            left = await loop.run_in_executor(self._thread, self._writer.rest)
        await loop.run_in_executor(self._thread, self._writer.close)

    def _write(self, events: list[bytes]) -> TargetAway | None:
        start = time.perf_counter()
        try:
            self._writer.write(events)
        except self._failures as error:
            return TargetAway(str(error) or type(error).__name__)
        except Exception as error:
            _LOGGER.exception("writing events: %s", type(error).__name__)
            return TargetAway("the events could not be written")
        self._took(len(events), _size(events), time.perf_counter() - start)
        return None


def _size(events: Sequence[bytes]) -> int:
    return sum(map(len, events))


def _answer(group: Iterable[asyncio.Future[None]], failure: TargetAway | None) -> None:
    for taken in group:
        if taken.done():  # the client has gone
            continue
        if failure is None:
            taken.set_result(None)
        else:
            taken.set_exception(failure)
