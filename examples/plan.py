"""The plan of six weeks: who comes when, how often, and for how many events. A few bytes for each visit.

The shape, which docs and tests hold it to: half of the visitors have 6 events or fewer, one in a hundred has more than
280, and the kiosk alone has half of all events. Heavier visitors have an account more often.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from random import Random
from statistics import NormalDist
from typing import Final, NamedTuple

from examples.visitors import KIOSK, VIP_NUMBERS, Visitor

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000

# What a visit is to its visitor.
ANONYMOUS, SIGNING_IN, SIGNED_IN, MAIL, DELETING = range(5)

_MEDIAN_EVENTS: Final = 6
# ln(280 / 6) divided by the 99th percentile of the normal distribution.
_SIGMA: Final = math.log(280 / _MEDIAN_EVENTS) / NormalDist().inv_cdf(0.99)
_EVENTS_PER_VISIT: Final = 8
_KIOSK_EVENTS_PER_VISIT: Final = 9
_VIP_EVENTS: Final = 60
# A mail is delivered, opened and followed in 1.7 events on average; 9 of 100 events of an account are such.
_MAILS_PER_EVENT: Final = 0.09 / 1.7
_MAILINGS_EVERY_MS: Final = DAY_MS * 7 // 2
# Visits by hour of the day, UTC.
_HOURS: Final = (1, 1, 1, 1, 1, 2, 4, 6, 7, 7, 7, 7, 8, 8, 7, 7, 8, 9, 10, 11, 11, 9, 6, 3)
_HOUR_OF: Final = tuple(hour for hour, share in enumerate(_HOURS) for _ in range(share))
_SHOP_OPENS, _SHOP_CLOSES = 8, 20


class Visit(NamedTuple):
    """One visit, or one mail. `start_ms` counts from the epoch. The kiosk's `events` are 0: it fills up."""

    start_ms: int
    visitor: int
    events: int
    stage: int


class Plan:
    """All visits of a period, in the order in which they start.

    Args:
        events: how many events the feed will have in the end.
        seed: of the shop.
        start_ms, end_ms: the period, since the epoch.

    Attributes:
        kiosk_visits: how many of the visits are the kiosk's.
        planned: events of all others.
    """

    def __init__(self, events: int, seed: int, start_ms: int, end_ms: int) -> None:
        self._start_ms, self._end_ms, self._seed = start_ms, end_ms, seed
        self._random = Random(seed)
        self._starts, self._visitors = array("q"), array("q")
        self._events, self._stages = array("q"), array("b")
        counts = visitor_sizes(events // 2)
        self._random.shuffle(counts)
        for number, count in enumerate(counts):
            self._add_visitor(number, max(count, _VIP_EVENTS) if number + 1 in VIP_NUMBERS else count)
        self.planned = sum(self._events)
        self.kiosk_visits = max(1, (events - self.planned) // _KIOSK_EVENTS_PER_VISIT)
        self._add_kiosk()

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Visit]:
        for index in sorted(range(len(self._starts)), key=self._starts.__getitem__):
            yield Visit(self._starts[index], self._visitors[index], self._events[index], self._stages[index])

    def _add(self, start_ms: int, visitor: int, events: int, stage: int) -> None:
        self._starts.append(start_ms)
        self._visitors.append(visitor)
        self._events.append(events)
        self._stages.append(stage)

    def _add_visitor(self, number: int, count: int) -> None:
        random = self._random.random
        is_vip = number + 1 in VIP_NUMBERS
        visitor = Visitor(self._seed, number)
        has_account = is_vip or random() < (0.3 if count <= _MEDIAN_EVENTS else 0.6 if count <= 50 else 0.85)
        mails = int(count * _MAILS_PER_EVENT + random()) if has_account else 0
        lengths = self._split(max(1, round(count - 1.7 * mails)))
        starts = self._visit_starts(len(lengths), 0.0 if is_vip or random() < 0.3 else random())
        signs_in_at = (
            min(int(3 * random()) + visitor.former_accounts, len(lengths) - 1) if has_account else len(lengths)
        )
        for position, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            stage = ANONYMOUS if position < signs_in_at else SIGNED_IN if position > signs_in_at else SIGNING_IN
            self._add(start, number, length, stage)
        if mails:
            self._add_mails(number, mails, starts[signs_in_at])
        if has_account and visitor.asks_for_deletion:
            self._add(min(starts[-1] + 2 * HOUR_MS, self._end_ms - 1), number, 1, DELETING)

    def _split(self, count: int) -> list[int]:
        lengths = []
        while count > 0:
            length = min(count, 1 + int(-(_EVENTS_PER_VISIT - 1) * math.log(1 - self._random.random())))
            lengths.append(length)
            count -= length
        return lengths

    def _visit_starts(self, visits: int, first_day: float) -> list[int]:
        """Instants, sorted; the visitor has not been here before `first_day`, a share of the period."""
        random, period_ms = self._random.random, self._end_ms - self._start_ms
        days = period_ms // DAY_MS
        starts = []
        for _ in range(visits):
            if days:
                day = int(days * (first_day + (1 - first_day) * random()))
                offset = day * DAY_MS + int((_HOUR_OF[int(random() * len(_HOUR_OF))] + random()) * HOUR_MS)
            else:
                offset = int(period_ms * random())
            starts.append(self._start_ms + offset)
        starts.sort()
        return starts

    def _add_mails(self, number: int, mails: int, after_ms: int) -> None:
        """Mailings go out twice a week, each within twenty minutes."""
        next_mailing = (after_ms - self._start_ms) // _MAILINGS_EVERY_MS + 1
        last_mailing = (self._end_ms - self._start_ms - HOUR_MS) // _MAILINGS_EVERY_MS
        for _ in range(mails):
            mailing = next_mailing + int((last_mailing - next_mailing + 1) * self._random.random())
            sent = self._start_ms + mailing * _MAILINGS_EVERY_MS + int(20 * 60_000 * self._random.random())
            if after_ms < sent < self._end_ms:
                self._add(sent, number, 2, MAIL)

    def _add_kiosk(self) -> None:
        """Evenly over the opening hours, so that its visits seldom overlap."""
        open_ms = (_SHOP_CLOSES - _SHOP_OPENS) * HOUR_MS
        days = max(1, (self._end_ms - self._start_ms) // DAY_MS)
        every_ms = days * open_ms / self.kiosk_visits
        for position in range(self.kiosk_visits):
            day, offset = divmod(int((position + 0.5 * self._random.random()) * every_ms), open_ms)
            start = self._start_ms + day * DAY_MS + _SHOP_OPENS * HOUR_MS + offset
            self._add(min(start, self._end_ms - HOUR_MS), KIOSK, 0, ANONYMOUS)


def visitor_sizes(total: int) -> list[int]:
    """Events of each visitor, ascending: quantiles of a log-normal distribution, so that the shape is no accident."""
    visitors = max(1, round(total / (_MEDIAN_EVENTS * math.exp(_SIGMA**2 / 2))))
    for _ in range(4):  # the quantiles' mean is below the distribution's, the more so the fewer there are
        sizes = _quantiles(visitors)
        visitors = max(1, round(visitors * total / sum(sizes)))
    return _quantiles(visitors)


def _quantiles(visitors: int) -> list[int]:
    normal = NormalDist(math.log(_MEDIAN_EVENTS), _SIGMA)
    return [max(1, round(math.exp(normal.inv_cdf((rank + 0.5) / visitors)))) for rank in range(visitors)]
