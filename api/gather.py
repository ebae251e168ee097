"""Makes the events of many requests safe together.

All requests that wait share one write (a group); the next group gathers meanwhile. One thread writes, so that the
event loop never waits for a disk or a broker. A request is answered when the write that holds its events has returned.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

RETRY_SECONDS = 5
"""When clients are to try again what was not taken."""
PUT_SECONDS = 10.0
"""How long a request waits: clients give up soon after, and not to know is worse for them than to try again."""
MOST_WAITING = 20_000
"""More requests than that are not made to wait."""
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


_Waiting = tuple[Sequence[bytes], "asyncio.Future[None]"]


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
        self._waiting: list[_Waiting] = []
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
        if len(self._waiting) >= MOST_WAITING:
            raise TargetAway("too many requests wait")
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((events, taken))
        self._wake.set()
        try:
            await asyncio.wait_for(taken, PUT_SECONDS)
        except TimeoutError:
            raise TargetAway("no acknowledgement in time") from None

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
            # Whoever has gone or waited too long was told that nothing is sure.
            group, self._waiting = [one for one in self._waiting if not one[1].done()], []
            if group:
                failure = await loop.run_in_executor(self._thread, self._write, group)
                _answer(group, failure)
            left = await loop.run_in_executor(self._thread, self._writer.rest)
        await loop.run_in_executor(self._thread, self._writer.close)

    def _write(self, group: list[_Waiting]) -> TargetAway | None:
        events = [event for some, _ in group for event in some]
        start = time.perf_counter()
        try:
            self._writer.write(events)
        except self._failures as error:
            return TargetAway(str(error) or type(error).__name__)
        except Exception as error:
            _LOGGER.exception("writing events: %s", type(error).__name__)
            return TargetAway("the events could not be written")
        self._took(len(events), sum(map(len, events)), time.perf_counter() - start)
        return None


def _answer(group: list[_Waiting], failure: TargetAway | None) -> None:
    for _, taken in group:
        if taken.done():  # the client has gone
            continue
        if failure is None:
            taken.set_result(None)
        else:
            taken.set_exception(failure)
