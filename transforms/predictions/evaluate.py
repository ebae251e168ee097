"""How good predictions were on a period that is over, beside guesses that need no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import orjson
from scipy.stats import rankdata

from transforms.predictions.calibrate import Calibration, fit_calibration
from transforms.predictions.forecast import Forecast, forecast
from transforms.predictions.orders import (
    WEEK_US,
    Floats,
    OrderEvent,
    Summary,
    histories,
    purchases_between,
)

_DECILES: Final = 10


@dataclass(frozen=True, slots=True)
class Decile:
    """Customers whose risks were next to each other: mean of what was told, and the share that it happened to."""

    customers: int
    told: float
    happened: float


@dataclass(frozen=True, slots=True)
class OrderErrors:
    """Of a guess at everybody's number of orders."""

    total: float
    mean_absolute: float
    root_mean_square: float


@dataclass(frozen=True, slots=True)
class HeldOut:
    """How good the predictions for (start, end] were, made of nothing after `start`. Instants in microseconds.

    Errors of orders: of the model, of each customer's own rate so far, and of the same number for all. `brier_naive`:
    of the churn share of the period before, told to everybody. `auc`: how often of two customers the one who left had
    the higher risk; `auc_recency`: the older last order. None where all did the same.
    """

    start: int
    end: int
    customers: int
    actual: float
    model: OrderErrors
    own_rate: OrderErrors
    same_for_all: OrderErrors
    brier: float
    brier_naive: float
    auc: float | None
    auc_recency: float | None
    deciles: tuple[Decile, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """The last held-out period, and what it teaches for the next. `why_not`: words, where nothing could be held out."""

    held_out: HeldOut | None
    calibration: Calibration
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class _Period:
    forecast: Forecast
    expected: Floats
    no_order: Floats
    orders: Floats
    churned: Floats


def try_out(events: Sequence[OrderEvent], at: int, horizon_us: int) -> Trial:
    """Predicts the last horizon before `at` from what was known when it began, and compares.

    The risks told for it are calibrated on the period before it: what is measured has seen nothing of what it is
    measured on.
    """
    first = min((event.at for event in events if event.kind == "order"), default=at)
    if at - first < 2 * horizon_us:
        return Trial(None, Calibration(), "there are orders of less than two horizons")
    last = _period(events, at - horizon_us, horizon_us)
    before = _period(events, at - 2 * horizon_us, horizon_us) if at - first >= 3 * horizon_us else None
    if not last.forecast.customers:
        return Trial(None, Calibration(), "there were no customers a horizon ago")
    earlier = _calibration(before)
    return Trial(_measured(last, before, earlier, at - horizon_us, horizon_us), _calibration(last))


def _period(events: Sequence[OrderEvent], start: int, horizon_us: int) -> _Period:
    made = forecast(events, start)
    orders = purchases_between(made.customers, histories(events, start + horizon_us), start)
    return _Period(made, made.expected(horizon_us), made.no_order(horizon_us), orders, (orders == 0).astype(np.float64))


def _calibration(period: _Period | None) -> Calibration:
    if period is None or not period.forecast.customers:
        return Calibration()
    return fit_calibration(period.no_order, period.churned)


def _measured(last: _Period, before: _Period | None, earlier: Calibration, start: int, horizon_us: int) -> HeldOut:
    summary, weeks = last.forecast.summary, horizon_us / WEEK_US
    risk = earlier.apply(last.no_order)
    guess = float(np.mean(before.churned)) if before is not None and len(before.churned) else float(np.mean(risk))
    return HeldOut(
        start, start + horizon_us, len(last.orders), float(np.sum(last.orders)),
        _errors(last.expected, last.orders),
        _errors(own_rate(summary, weeks), last.orders),
        _errors(np.full_like(last.orders, _mean_rate(summary) * weeks), last.orders),
        float(np.mean((risk - last.churned) ** 2)),
        float(np.mean((guess - last.churned) ** 2)),
        area_under_curve(risk, last.churned),
        area_under_curve(summary.age - summary.recency, last.churned),
        tuple(deciles(risk, last.churned)),
    )  # fmt: skip


def own_rate(summary: Summary, weeks: float) -> Floats:
    """The naive guess: each goes on as before, all purchases over the time since the first one (a week at least)."""
    found: Floats = (summary.frequency + 1) / np.maximum(summary.age, 1.0) * weeks
    return found


def _mean_rate(summary: Summary) -> float:
    return float(np.sum(summary.frequency)) / max(float(np.sum(summary.age)), 0.5 / 7)


def _errors(guess: Floats, actual: Floats) -> OrderErrors:
    off = guess - actual
    return OrderErrors(float(np.sum(guess)), float(np.mean(np.abs(off))), float(np.sqrt(np.mean(off**2))))


def area_under_curve(scores: Floats, happened: Floats) -> float | None:
    """The probability that of two customers, one to whom it happened and one not, the first has the higher score."""
    positive = int(np.sum(happened))
    negative = len(happened) - positive
    if not positive or not negative:
        return None
    ranks = rankdata(scores)
    return float((np.sum(ranks[happened == 1]) - positive * (positive + 1) / 2) / (positive * negative))


def deciles(risk: Floats, happened: Floats) -> list[Decile]:
    """Ten groups of equal size by risk (fewer, of fewer customers), from low to high."""
    if not len(risk) or not np.ptp(risk):
        return [Decile(len(risk), float(np.mean(risk)), float(np.mean(happened)))] if len(risk) else []
    order = np.argsort(risk, kind="stable")
    groups = [group for group in np.array_split(order, min(_DECILES, len(order))) if len(group)]
    return [Decile(len(group), float(np.mean(risk[group])), float(np.mean(happened[group]))) for group in groups]


def held_out_json(held: HeldOut) -> str:
    """All of it as JSON, rounded to six digits."""

    def rounded(value: object) -> object:
        if isinstance(value, float):
            return round(value, 6)
        if isinstance(value, dict):
            return {name: rounded(inner) for name, inner in value.items()}
        return [rounded(inner) for inner in value] if isinstance(value, list | tuple) else value

    return orjson.dumps(rounded(asdict(held))).decode()
