"""What each customer will do within a horizon, from nothing but the orders known at an instant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from transforms.predictions.bg_nbd import BgNbd, fit_bg_nbd
from transforms.predictions.gamma_gamma import GammaGamma, fit_gamma_gamma
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
class MoneyModel:
    """What an order is worth in one currency. `model` None: too few repeaters, all orders' mean stands for each."""

    currency: str
    mean: float
    model: GammaGamma | None
    correlation: float | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """Aligned with `customers`. `no_order`: as the model says, not yet calibrated. `worth`: of one order, or NaN."""

    customers: tuple[History, ...]
    summary: Summary
    model: BgNbd | PooledRate
    money: tuple[MoneyModel, ...]
    expected: Floats
    no_order: Floats
    worth: Floats

    @property
    def repeaters(self) -> int:
        """Customers with a second purchase."""
        return int(np.count_nonzero(self.summary.frequency))


def forecast(events: Iterable[OrderEvent], at: int, horizon_us: int) -> Forecast:
    """Predicts the `horizon_us` after `at`. Of the events, only those at or before `at` are looked at."""
    customers = tuple(histories(events, at))
    summary = summarise(customers, at)
    weeks = horizon_us / WEEK_US
    model = fit_rate(summary)
    money = tuple(_money_models(customers))
    return Forecast(
        customers, summary, model, money, model.expected(summary, weeks), model.no_order(summary, weeks),
        _worth(customers, {one.currency: one for one in money}),
    )  # fmt: skip


def fit_rate(summary: Summary) -> BgNbd | PooledRate:
    """The probabilistic model; of few repeaters the pooled rate."""
    if np.count_nonzero(summary.frequency) >= FEWEST_REPEATERS:
        return fit_bg_nbd(summary)
    # Half a day where a shop has existed for one: nobody's rate is infinite.
    exposed = max(float(np.sum(summary.age)), 0.5 / 7)
    return PooledRate(float(np.sum(summary.frequency)) / exposed)


def _repeat_means(customers: Sequence[History]) -> tuple[Floats, Floats]:
    """Per customer: priced repeat purchases above 0, and their mean (0 where there are none). Of the own currency."""
    counts, means = np.zeros(len(customers)), np.zeros(len(customers))
    for place, customer in enumerate(customers):
        currency = customer.currency()
        amounts = [
            purchase.amount
            for purchase in customer.purchases[1:]
            if purchase.amount is not None and purchase.amount > 0 and purchase.currency == currency
        ]
        if amounts:
            counts[place], means[place] = len(amounts), sum(amounts) / len(amounts)
    return counts, means


def _money_models(customers: Sequence[History]) -> Iterable[MoneyModel]:
    """One per currency: amounts in different money are never added."""
    of_currency: dict[str, list[History]] = {}
    for customer in customers:
        of_currency.setdefault(customer.currency(), []).append(customer)
    for currency, theirs in sorted(of_currency.items()):
        amounts = [
            purchase.amount
            for customer in theirs
            for purchase in customer.purchases
            if purchase.amount is not None and purchase.amount > 0 and purchase.currency == currency
        ]
        if not amounts:
            continue
        counts, means = _repeat_means(theirs)
        repeated = counts > 0
        enough = int(np.count_nonzero(repeated)) >= FEWEST_REPEATERS
        model = fit_gamma_gamma(counts[repeated], means[repeated]) if enough else None
        yield MoneyModel(
            currency, sum(amounts) / len(amounts), model, _correlation(counts[repeated], means[repeated])
        )  # fmt: skip


def _correlation(counts: Floats, means: Floats) -> float | None:
    """Of how often and how much. Gamma-Gamma takes it for 0."""
    if len(counts) < 2 or not np.std(counts) or not np.std(means):
        return None
    return float(np.corrcoef(counts, means)[0, 1])


def _worth(customers: Sequence[History], money: dict[str, MoneyModel]) -> Floats:
    counts, means = _repeat_means(customers)
    worth = np.full(len(customers), np.nan)
    for place, customer in enumerate(customers):
        model = money.get(customer.currency())
        if model is not None and (model.model is None or model.model.q <= 1):
            worth[place] = model.mean  # with q <= 1 the mean of all has no end: too few to tell
        elif model is not None and model.model is not None:
            worth[place] = float(model.model.expected(counts[place : place + 1], means[place : place + 1])[0])
    return worth
