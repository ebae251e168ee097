"""Predictions as `identify` events: traits of their customers at `as_of`, which rules read like any other trait."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import orjson

from schemas.instants import instant_text
from transforms.predictions.calibrate import Calibration
from transforms.predictions.forecast import Forecast
from transforms.predictions.money import Prices

SOURCE: Final = "tidemark-predict"
"""`context.library.name` of these events. What they say is never a feature: only orders are."""


class Prediction(NamedTuple):
    """What is told of one customer. `lifetime_value`: in `currency`; None where no order has an amount."""

    profile_id: str
    expected_orders: float
    churn_risk: float
    lifetime_value: float | None
    currency: str | None


def predictions(
    made: Forecast, prices: Prices, calibration: Calibration, horizon_us: int, lifetime_us: int
) -> Iterator[Prediction]:
    """One per customer, rounded: what stands behind the fourth digit is noise, and would differ between machines.

    Args:
        made: the model and its customers.
        prices: of the same customers.
        calibration: of the risk of no order.
        horizon_us: of the expected orders and the risk.
        lifetime_us: the span that the lifetime value is of.
    """
    expected, lifetime = made.expected(horizon_us), made.expected(lifetime_us)
    risks, values = calibration.apply(made.no_order(horizon_us)), lifetime * prices.worth
    for place, customer in enumerate(made.customers):
        priced = not math.isnan(values[place])
        yield Prediction(
            customer.profile_id,
            round(float(expected[place]), 4),
            round(float(risks[place]), 4),
            round(float(values[place]), 2) if priced else None,
            customer.currency() or None if priced else None,
        )


def prediction_row(told: Prediction, as_of: int, horizon_days: int, model: str) -> tuple[Any, ...]:
    """The row of `predictions`."""
    return (
        told.profile_id,
        as_of,
        horizon_days,
        told.expected_orders,
        told.lifetime_value,
        told.currency,
        told.churn_risk,
        model,
    )


def identify_event(told: Prediction, as_of: int, horizon_days: int) -> bytes:
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
        "timestamp": instant_text(as_of),
        "context": {"library": {"name": SOURCE}},
    }
    digest = hashlib.sha256(orjson.dumps(event, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    return orjson.dumps({"messageId": f"predict-{digest}", **event})
