"""BG/NBD: how often customers buy, and when they stop, from how many repeat purchases they made and when the last was.

Fader, Hardie and Lee (2005), "Counting Your Customers" the Easy Way. A customer buys at a rate that is Gamma(r, alpha)
distributed over customers, and after each purchase stays away for good with a probability that is Beta(a, b).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1

from transforms.predictions.orders import Floats, Summary

_START: Final = (0.5, 5.0, 0.8, 2.5)
_LIMITS: Final = ((-7.0, 9.0),) * 4


@dataclass(frozen=True, slots=True)
class BgNbd:
    """A fitted model; `alpha` in weeks. `log_likelihood`: of the customers that it was fitted on."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float = float("nan")

    def alive(self, customers: Summary) -> Floats:
        """The probability that a customer has not left for good. 1 for whoever bought once: no measure of churn."""
        x, left = customers.frequency, np.zeros_like(customers.frequency)
        repeated = x > 0
        ratio = np.log((self.alpha + customers.age) / (self.alpha + customers.recency)) * (self.r + x)
        odds = np.log(self.a / (self.b + np.maximum(x, 1) - 1)) + ratio
        left[repeated] = np.exp(np.minimum(odds[repeated], 700.0))
        found: Floats = 1.0 / (1.0 + left)
        return found

    def no_order(self, customers: Summary, weeks: float) -> Floats:
        """The probability of no purchase within `weeks`, given the history: has left, or is slow."""
        alive = self.alive(customers)
        start = self.alpha + customers.age
        silent = (start / (start + weeks)) ** (self.r + customers.frequency)
        found: Floats = 1.0 - alive + alive * silent
        return found

    def expected(self, customers: Summary, weeks: float) -> Floats:
        """Expected purchases within `weeks`, given the history."""
        x = customers.frequency
        a = self.a if abs(self.a - 1) > 1e-6 else 1 + 1e-6  # the formula has a removable pole there
        start = self.alpha + customers.age
        shrink = hyp2f1(self.r + x, self.b + x, a + self.b + x - 1, weeks / (start + weeks))
        shrunk = 1.0 - (start / (start + weeks)) ** (self.r + x) * shrink
        found: Floats = np.maximum((a + self.b + x - 1) / (a - 1) * shrunk * self.alive(customers), 0.0)
        return found


def log_likelihood(model: BgNbd, customers: Summary) -> float:
    """Of the customers' histories under a model."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    x, repeated = customers.frequency, customers.frequency > 0
    start = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    stays = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + customers.age)
    leaves = betaln(a + 1, b + np.maximum(x, 1) - 1) - betaln(a, b) - (r + x) * np.log(alpha + customers.recency)
    either = np.where(repeated, np.logaddexp(stays, leaves), stays)
    return float(np.sum(start + either))


def fit_bg_nbd(customers: Summary) -> BgNbd:
    """The model under which the histories are most likely. The same histories give the same numbers."""

    def cost(logs: Floats) -> float:
        return -log_likelihood(BgNbd(*np.exp(np.clip(logs, -7, 9))), customers) / len(customers.frequency)

    near = minimize(cost, np.log(_START), method="L-BFGS-B", bounds=_LIMITS)
    options = {"xatol": 1e-7, "fatol": 1e-11, "maxiter": 4_000, "maxfev": 4_000}
    found = np.exp(np.clip(minimize(cost, near.x, method="Nelder-Mead", options=options).x, -7, 9))
    r, alpha, a, b = (float(value) for value in found)
    return BgNbd(r, alpha, a, b, log_likelihood(BgNbd(r, alpha, a, b), customers))
