"""Gamma-Gamma: what a customer's next order is worth, from the mean of those before.

Fader and Hardie (2013), "The Gamma-Gamma Model of Monetary Value". A mean over few
orders counts less than one over many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln

from transforms.predictions.orders import Floats

_START: Final = (2.0, 2.0, 10.0)


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """A fitted model; `v` in the currency of the amounts."""

    p: float
    q: float
    v: float

    def expected(self, orders: Floats, mean: Floats) -> Floats:
        """Expected amount of an order, of customers with that many orders of that mean; of all where there are none."""
        found: Floats = self.p * (self.v + orders * mean) / np.maximum(self.p * orders + self.q - 1, 1e-9)
        return found


def log_likelihood(model: GammaGamma, orders: Floats, mean: Floats) -> float:
    """Of the customers' means under a model."""
    p, q, v = model.p, model.q, model.v
    terms = gammaln(p * orders + q) - gammaln(p * orders) - gammaln(q) + q * np.log(v)
    terms += (p * orders - 1) * np.log(mean) + p * orders * np.log(orders)
    return float(np.sum(terms - (p * orders + q) * np.log(orders * mean + v)))


def fit_gamma_gamma(orders: Floats, mean: Floats) -> GammaGamma:
    """The model under which the means are most likely.

    Args:
        orders: per customer, at least 1.
        mean: amount per order, above 0.
    """
    scale = float(np.mean(mean))

    def cost(logs: Floats) -> float:
        p, q, v = np.exp(np.clip(logs, -7, 9))
        return -log_likelihood(GammaGamma(p, q, v), orders, mean / scale) / len(orders)

    start = np.log(np.array(_START) / (1, 1, max(_START[2] / 2, 1)))
    options = {"xatol": 1e-7, "fatol": 1e-11, "maxiter": 4_000, "maxfev": 4_000}
    p, q, v = (float(value) for value in np.exp(minimize(cost, start, method="Nelder-Mead", options=options).x))
    return GammaGamma(p, q, v * scale)
