"""Predictions as `identify` events: traits of their customers at `as_of`, which rules read like any other trait."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import orjson

from transforms.parse.instants import iso_instant
from transforms.predictions.calibrate import Calibration
from transforms.predictions.forecast import Forecast

SOURCE: Final = "tidemark-predict"
"""`context.library.name` of these events. What they say is never a feature: only orders are."""


class Prediction(NamedTuple):
    """What is told of one customer. `lifetime_value`: in `currency`; None where no order has an amount."""

    profile_id: str
    expected_orders: float
    churn_risk: float
    lifetime_value: float | None
    currency: str | None


def predictions(made: Forecast, longer: Forecast, calibration: Calibration) -> Iterator[Prediction]:
    """One per customer, rounded: what stands behind the fourth digit is noise, and would differ between machines.

    Args:
        made: for the horizon.
        longer: of the same customers, for the span that counts as lifetime.
        calibration: of the risk of no order.
    """
    risks = calibration.apply(made.no_order)
    for place, customer in enumerate(made.customers):
        worth = float(longer.worth[place])
        priced = not math.isnan(worth)
        yield Prediction(
            customer.profile_id,
            round(float(made.expected[place]), 4),
            round(float(risks[place]), 4),
            round(float(longer.expected[place]) * worth, 2) if priced else None,
            customer.currency() or None if priced else None,
        )


def identify_event(told: Prediction, as_of: int, horizon_days: float) -> bytes:
    """One event. Its `messageId` follows from what it says, so the same prediction is the same event."""
    kind, _, identifier = told.profile_id.partition(":")
    traits: dict[str, Any] = {"expected_orders": told.expected_orders, "churn_risk": told.churn_risk}
    if told.lifetime_value is not None:
        traits["lifetime_value"] = told.lifetime_value
    if told.currency:
        traits["lifetime_value_currency"] = told.currency
    traits["prediction_horizon_days"] = horizon_days
    event: dict[str, Any] = {
        "type": "identify",
        "userId" if kind == "user" else "anonymousId": identifier,
        "traits": traits,
        "timestamp": iso_instant(as_of),
        "context": {"library": {"name": SOURCE}},
    }
    digest = hashlib.sha256(orjson.dumps(event, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    return orjson.dumps({"messageId": f"predict-{digest}", **event})
