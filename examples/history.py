"""A period of the shop's log: a given number of messages, in the order in which they arrived, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from random import Random
from typing import Final

from examples.plan import DAY_MS, HOUR_MS, Plan, Visit
from examples.shop_live.feed import Feed
from examples.shopping import Shop
from examples.visitors import KIOSK

END_MS: Final = int(datetime(2026, 7, 1, tzinfo=UTC).timestamp()) * 1000
_NEVER_MS: Final = 1 << 62


def make_history(events: int, seed: int, days: int = 42, broken: float = 0.01) -> Iterator[bytes]:
    """JSON messages of the `days` before 1 July 2026: the same for the same arguments, whatever the machine.

    Args:
        events: how many messages, duplicates and broken ones among them.
        seed: another seed, another shop.
        days: length of the period.
        broken: share of the messages that are broken.
    """
    return islice(_messages(events, seed, days, broken), events)


def _messages(events: int, seed: int, days: int, broken: float) -> Iterator[bytes]:
    plan = Plan(events, seed, END_MS - days * DAY_MS, END_MS)
    random = Random(seed + 1)
    feed = Feed(random, broken)
    shop = Shop(seed, random, feed, END_MS)
    planned, kiosk_visits = plan.planned, plan.kiosk_visits
    for visit in plan:
        yield from feed.arrived(visit.start_ms)
        if visit.visitor == KIOSK:
            # The kiosk fills up what the others leave: half, if the plan comes true.
            share = (events - feed.count - planned) / kiosk_visits
            visit = visit._replace(events=int(share * (0.5 + random.random()) + random.random()))  # noqa: PLW2901
            kiosk_visits -= 1
        else:
            planned -= visit.events
        shop.receive(visit)
    # What is missing in the end: the kiosk again, in the last hours.
    while (missing := events - feed.count) > 0:
        start_ms = END_MS - HOUR_MS - int(random.random() * HOUR_MS)
        shop.receive(Visit(start_ms, KIOSK, min(missing, 50), 0))
    yield from feed.arrived(_NEVER_MS)
