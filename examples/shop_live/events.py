"""A live feed of the shop for demonstrations: the same visitors, now. Nothing else in the examples reads a clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from examples.plan import ANONYMOUS, MAIL, SIGNED_IN, SIGNING_IN, Visit
from examples.shop_live.feed import Feed
from examples.shopping import Shop
from examples.visitors import KIOSK, Visitor

_VISITORS: Final = 400
_EVENTS_PER_VISIT: Final = 8
# Before the first message is written, so that the shop is as full then as later.
_WARM_UP_MS: Final = 180_000
_EVERY_SECONDS: Final = 1.0
_NEVER_MS: Final = 1 << 62


class LiveShop:
    """An endless feed. Time comes in with each call.

    Args:
        seed: of the visitors. What they do also follows from `start_ms`, so that no messageId comes in two feeds.
        rate: messages per second, on average.
        start_ms: first instant of the feed, milliseconds since the epoch.
    """

    def __init__(self, seed: int, rate: float, start_ms: int) -> None:
        self._random = Random(seed << 64 | start_ms)
        self._seed = seed
        self._feed = Feed(self._random, broken=0.01)
        self._shop = Shop(seed, self._random, self._feed, _NEVER_MS)
        self._mean_wait_ms = 1000 * _EVENTS_PER_VISIT / rate
        self._next_visit_ms = float(start_ms - _WARM_UP_MS)
        self._visits = dict.fromkeys(range(_VISITORS), 0)
        for _ in self.until(start_ms):
            pass

    def until(self, now_ms: int) -> Iterator[bytes]:
        """The messages that arrive after the last call and by `now_ms`."""
        while self._next_visit_ms <= now_ms:
            self._shop.receive(self._next_visit(int(self._next_visit_ms)))
            self._next_visit_ms += self._random.expovariate(1 / self._mean_wait_ms)
        yield from self._feed.arrived(now_ms)

    def _next_visit(self, start_ms: int) -> Visit:
        """A few visitors come again and again; three of five sign in on their first, second or third visit."""
        chance = self._random.random()
        events = 1 + int(self._random.expovariate(1 / (_EVENTS_PER_VISIT - 1)))
        if chance < 0.2:
            return Visit(start_ms, KIOSK, events, ANONYMOUS)
        number = int(_VISITORS * self._random.random() ** 2)
        visits = self._visits[number]
        visitor = Visitor(self._seed, number)
        signs_in_at = number % 3 + visitor.former_accounts if number % 5 < 3 else _NEVER_MS
        if chance < 0.3 and visits > signs_in_at:
            return Visit(start_ms, number, 2, MAIL)
        self._visits[number] += 1
        stage = ANONYMOUS if visits < signs_in_at else SIGNED_IN if visits > signs_in_at else SIGNING_IN
        return Visit(start_ms, number, events, stage)


def write_live(output: Path, seed: int, rate: float, events: int | None) -> int:
    """Writes a file of what has arrived, once a second. A file appears with all it holds, and never changes.

    Args:
        output: an existing folder.
        seed: as of LiveShop.
        rate: messages per second.
        events: stop after so many; None: never.

    Returns:
        How many messages were written.
    """
    shop = LiveShop(seed, rate, time.time_ns() // 1_000_000)
    written = 0
    while events is None or written < events:
        time.sleep(_EVERY_SECONDS)
        now_ms = time.time_ns() // 1_000_000
        messages = list(shop.until(now_ms))
        if events is not None:
            messages = messages[: events - written]
        if messages:
            write_whole(output / f"live-{now_ms}.ndjson", messages)
        written += len(messages)
    return written


def write_whole(path: Path, messages: list[bytes]) -> None:
    """Under another name first, which no pattern of events matches."""
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(b"\n".join(messages) + b"\n")
    unfinished.replace(path)
