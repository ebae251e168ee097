"""Probabilities that mean what they say: of those told 0.7, seven in ten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize

from transforms.predictions.orders import Floats

FEWEST_CUSTOMERS: Final = 200
"""Fewer outcomes say less about two parameters than the model itself does."""

FEWEST_FOR_A_SHARE: Final = 20
"""Customers of whom a single share is worth telling."""

_EDGE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Calibration:
    """`logit(told) = shift + slope * logit(p)`. The slope is above 0, so that nobody changes places with another."""

    shift: float = 0.0
    slope: float = 1.0

    def apply(self, probabilities: Floats) -> Floats:
        """The probabilities to tell."""
        if (self.shift, self.slope) == (0.0, 1.0):
            return probabilities
        found: Floats = 1.0 / (1.0 + np.exp(-(self.shift + self.slope * _logit(probabilities))))
        return found


def fit_calibration(probabilities: Floats, happened: Floats) -> Calibration:
    """From what was predicted for a period that is over, and what happened (0 or 1).

    Where everybody was told the same, the share that it happened to takes its place. Few or one-sided outcomes teach
    nothing.
    """
    if len(happened) >= FEWEST_FOR_A_SHARE and np.ptp(probabilities) < _EDGE:
        share = (np.sum(happened) + 1) / (len(happened) + 2)
        return Calibration(float(_logit(np.array([share]))[0] - _logit(probabilities[:1])[0]))
    if len(happened) < FEWEST_CUSTOMERS or not 0 < np.sum(happened) < len(happened):
        return Calibration()
    logits = _logit(probabilities)

    def cost(values: Floats) -> float:
        told = values[0] + np.exp(np.clip(values[1], -4, 4)) * logits
        # A weak pull towards the model as it is.
        return float(np.mean(np.logaddexp(0, told) - happened * told) + (values @ values) / len(happened))

    options = {"xatol": 1e-7, "fatol": 1e-11, "maxiter": 2_000}
    shift, slope = minimize(cost, np.zeros(2), method="Nelder-Mead", options=options).x
    return Calibration(float(shift), float(np.exp(np.clip(slope, -4, 4))))


def _logit(probabilities: Floats) -> Floats:
    inside = np.clip(probabilities, _EDGE, 1 - _EDGE)
    found: Floats = np.log(inside / (1 - inside))
    return found
