"""Many requests share a write; what waits for one is bounded, also in bytes, and whoever has gone is not kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from api import gather as gather_module
from api.gather import Gather, TargetAway

EVENT = b"x" * 60


class Willing:
    """Writes at once."""

    def __init__(self) -> None:
        self.groups: list[list[bytes]] = []

    def open(self) -> None: ...

    def write(self, events: Sequence[bytes]) -> None:
        self.groups.append(list(events))

    def rest(self) -> None: ...

    def check(self) -> str:
        return ""

    def close(self) -> None: ...


class Slow(Willing):
    """Writes when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may = threading.Event(), threading.Event()

    def write(self, events: Sequence[bytes]) -> None:
        self.begun.set()
        self.may.wait()
        super().write(events)


def test_requests_that_wait_share_one_write() -> None:
    writer = Willing()

    async def story() -> None:
        gather = Gather(writer)
        await gather.open()
        await asyncio.gather(*(gather.put([b"%d" % number]) for number in range(50)))
        await gather.close()
        with pytest.raises(TargetAway):
            await gather.put([b"late"])

    asyncio.run(story())
    assert [len(group) for group in writer.groups] == [50]


def test_what_was_taken_is_safe_before_it_ends() -> None:
    writer = Willing()

    async def story() -> None:
        gather = Gather(writer)
        await gather.open()
        waiting = asyncio.create_task(gather.put([b"{}"]))
        await asyncio.sleep(0)
        await gather.close()
        await waiting

    asyncio.run(story())
    assert writer.groups == [[b"{}"]]


def test_more_bytes_than_may_wait_are_refused_until_others_have_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather_module, "MOST_WAITING_BYTES", 100)
    writer = Slow()

    async def story() -> None:
        gather = Gather(writer)
        await gather.open()
        written = asyncio.create_task(gather.put([EVENT]))
        await asyncio.to_thread(writer.begun.wait)
        waits = asyncio.create_task(gather.put([EVENT]))
        await asyncio.sleep(0)
        with pytest.raises(TargetAway, match="too many"):
            await gather.put([b"refused"])
        waits.cancel()
        await asyncio.wait([waits])
        taken = asyncio.create_task(gather.put([b"taken"]))
        await asyncio.sleep(0)
        writer.may.set()
        await asyncio.gather(written, taken)
        await gather.close()

    asyncio.run(story())
    assert writer.groups == [[EVENT], [b"taken"]]


def test_who_waited_in_vain_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Slow()

    async def story() -> None:
        gather = Gather(writer)
        await gather.open()
        first = asyncio.create_task(gather.put([EVENT]))
        await asyncio.to_thread(writer.begun.wait)
        monkeypatch.setattr(gather_module, "PUT_SECONDS", 0.0)
        with pytest.raises(TargetAway, match="in time"):
            await gather.put([b"late"])
        writer.may.set()
        await first
        await gather.close()

    asyncio.run(story())
    assert writer.groups == [[EVENT]], "it was told that nothing is sure, and comes again"
