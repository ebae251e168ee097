"""What has been counted at some moment, by the names of `counting.py`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Spread(NamedTuple):
    """A distribution: how many values, their sum, the greatest."""

    number: int = 0
    total: int = 0
    most: int = 0

    def with_value(self, value: int, times: int) -> Spread:
        """With a value that came so often."""
        return Spread(self.number + times, self.total + value * times, max(self.most, value) if times else self.most)

    def with_all(self, number: int, total: int, most: int) -> Spread:
        """With the values of another."""
        return Spread(self.number + number, self.total + total, max(self.most, most))


class Numbers(NamedTuple):
    """Counters and distributions by name."""

    counters: Mapping[str, int]
    spreads: Mapping[str, Spread]


NOTHING = Numbers({}, {})


def sum_numbers(parts: Iterable[Numbers]) -> Numbers:
    """What several processes have counted together."""
    counters: Counter[str] = Counter()
    spreads: dict[str, Spread] = {}
    for part in parts:
        counters.update(part.counters)
        for name, spread in part.spreads.items():
            spreads[name] = spreads.get(name, Spread()).with_all(*spread)
    return Numbers(counters, spreads)
