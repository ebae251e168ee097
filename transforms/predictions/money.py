"""What each customer's next order is worth: one model per currency, for amounts in different money are never added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from transforms.predictions.forecast import FEWEST_REPEATERS
from transforms.predictions.gamma_gamma import GammaGamma, fit_gamma_gamma
from transforms.predictions.orders import Floats, History


@dataclass(frozen=True, slots=True)
class MoneyModel:
    """One currency. `mean`: of all its orders. `model` None: too few repeaters, the mean stands for each."""

    currency: str
    mean: float
    model: GammaGamma | None
    correlation: float | None


@dataclass(frozen=True, slots=True)
class Prices:
    """`worth` is aligned with the customers: one order in the customer's own currency, NaN where none has an amount."""

    models: tuple[MoneyModel, ...]
    worth: Floats


def price(customers: Sequence[History]) -> Prices:
    """Fits a model per currency and asks it for each customer."""
    worth = np.full(len(customers), np.nan)
    models = []
    places: dict[str, list[int]] = {}
    for place, customer in enumerate(customers):
        places.setdefault(customer.currency(), []).append(place)
    for currency, theirs in sorted(places.items()):
        spent = [list(_amounts(customers[place], currency)) for place in theirs]
        if not any(spent):
            continue
        model, of_each = _one_currency(
            currency, spent, [_amounts_again(customers[place], currency) for place in theirs]
        )
        models.append(model)
        worth[theirs] = of_each
    return Prices(tuple(models), worth)


def _one_currency(
    currency: str, spent: Sequence[Sequence[float]], again: Sequence[Sequence[float]]
) -> tuple[MoneyModel, Floats]:
    amounts = [amount for of_one in spent for amount in of_one]
    mean = sum(amounts) / len(amounts)
    counts = np.array([len(of_one) for of_one in again], dtype=np.float64)
    means = np.array([sum(of_one) / len(of_one) if of_one else 0.0 for of_one in again])
    repeated = counts > 0
    fitted = None
    if int(np.count_nonzero(repeated)) >= FEWEST_REPEATERS:
        fitted = fit_gamma_gamma(counts[repeated], means[repeated])
    if fitted is not None and fitted.q <= 1:
        fitted = None  # the mean over all customers would have no end: the orders are too few to tell
    of_each = np.full(len(again), mean) if fitted is None else fitted.expected(counts, means)
    return MoneyModel(currency, mean, fitted, _correlation(counts[repeated], means[repeated])), of_each


def _amounts(customer: History, currency: str) -> Iterator[float]:
    for purchase in customer.purchases:
        if purchase.amount is not None and purchase.amount > 0 and purchase.currency == currency:
            yield purchase.amount


def _amounts_again(customer: History, currency: str) -> list[float]:
    """Those of repeat purchases: the first one says nothing about how a returning customer spends."""
    return list(_amounts(History(customer.profile_id, customer.purchases[1:]), currency))


def _correlation(counts: Floats, means: Floats) -> float | None:
    """Of how often and how much. Gamma-Gamma takes it for 0."""
    if len(counts) < 2 or not np.std(counts) or not np.std(means):
        return None
    return float(np.corrcoef(counts, means)[0, 1])
