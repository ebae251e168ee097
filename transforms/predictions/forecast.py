"""What each customer will do within a horizon, from nothing but the orders known at an instant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from transforms.predictions.bg_nbd import BgNbd, fit_bg_nbd
from transforms.predictions.orders import WEEK_US, Floats, History, OrderEvent, Summary, histories, summarise

FEWEST_REPEATERS: Final = 100
"""Customers with a second purchase. With fewer, four parameters fit the noise: everybody gets the pooled rate."""


@dataclass(frozen=True, slots=True)
class PooledRate:
    """Everybody buys again at the same rate, purchases per week."""

    per_week: float

    def expected(self, customers: Summary, weeks: float) -> Floats:
        """Expected purchases within `weeks`: the same for all."""
        return np.full_like(customers.age, self.per_week * weeks)

    def no_order(self, customers: Summary, weeks: float) -> Floats:
        """The probability of no purchase within `weeks`: the same for all."""
        return np.full_like(customers.age, np.exp(-self.per_week * weeks))


@dataclass(frozen=True, slots=True)
class Forecast:
    """A model and the customers that it was fitted on, which its answers are aligned with."""

    customers: tuple[History, ...]
    summary: Summary
    model: BgNbd | PooledRate

    @property
    def repeaters(self) -> int:
        """Customers with a second purchase."""
        return int(np.count_nonzero(self.summary.frequency))

    def expected(self, horizon_us: int) -> Floats:
        """Expected purchases within a horizon."""
        return self.model.expected(self.summary, horizon_us / WEEK_US)

    def no_order(self, horizon_us: int) -> Floats:
        """The probability of no purchase within a horizon, as the model says it: not calibrated."""
        return self.model.no_order(self.summary, horizon_us / WEEK_US)


def forecast(events: Iterable[OrderEvent], at: int) -> Forecast:
    """Of the events, only those at or before `at` are looked at."""
    customers = tuple(histories(events, at))
    summary = summarise(customers, at)
    return Forecast(customers, summary, fit_rate(summary))


def fit_rate(summary: Summary) -> BgNbd | PooledRate:
    """The probabilistic model; of few repeaters the pooled rate."""
    if np.count_nonzero(summary.frequency) >= FEWEST_REPEATERS:
        return fit_bg_nbd(summary)
    # Half a day where a shop has existed for one: nobody's rate is infinite.
    exposed = max(float(np.sum(summary.age)), 0.5 / 7)
    return PooledRate(float(np.sum(summary.frequency)) / exposed)
