"""What a prediction run says: which model, how good it was, what it tells of whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.words.layout import table, wrapped
from transforms.explain.words import instant_words, span_words
from transforms.predictions.bg_nbd import BgNbd
from transforms.predictions.evaluate import HeldOut, Trial
from transforms.predictions.forecast import FEWEST_REPEATERS, Forecast
from transforms.predictions.money import Prices
from transforms.predictions.tell import Prediction


def summary_lines(
    made: Forecast, prices: Prices, trial: Trial, told: Sequence[Prediction], horizon_us: int
) -> Iterator[str]:
    """The summary, for a terminal."""
    yield f"Customers   {len(made.customers):,}, {made.repeaters:,} of them bought again"
    yield f"Horizon     {span_words(horizon_us)}"
    yield from _model_lines(made, prices)
    if told:
        risky = sum(prediction.churn_risk > 0.7 for prediction in told)
        yield f"Expected    {sum(prediction.expected_orders for prediction in told):,.1f} orders of all"
        yield f"At risk     {risky:,} with a churn risk above 0.7"
    yield ""
    if trial.held_out is None:
        yield from wrapped(f"Not measured: {trial.why_not}.", 0)
    else:
        yield from held_out_lines(trial.held_out)


def _model_lines(made: Forecast, prices: Prices) -> Iterator[str]:
    if isinstance(made.model, BgNbd):
        fitted = made.model
        numbers = f"r {fitted.r:.4g}  alpha {fitted.alpha:.4g} weeks  a {fitted.a:.4g}  b {fitted.b:.4g}"
        yield f"Model       BG/NBD  {numbers}"
    else:
        yield (
            f"Model       pooled rate, {made.model.per_week:.4g} repeat orders a week for everybody: fewer than "
            f"{FEWEST_REPEATERS} customers bought again"
        )
    for money in prices.models:
        name = money.currency or "(no currency)"
        how = "Gamma-Gamma" if money.model is not None else "the mean of all orders"
        linked = "" if money.correlation is None else f", correlation with frequency {money.correlation:.2f}"
        yield f"Money       {name}: {how}, {money.mean:,.2f} an order{linked}"


def held_out_lines(held: HeldOut) -> Iterator[str]:
    """How good it was on the last held-out period."""
    yield (
        f"Held out: {instant_words(held.start)[:10]} to {instant_words(held.end)[:10]}, "
        f"{held.customers:,} customers, {held.actual:,.0f} orders"
    )
    rows = [
        (name, f"{errors.total:,.1f}", f"{errors.mean_absolute:.4f}", f"{errors.root_mean_square:.4f}")
        for name, errors in (
            ("the model", held.model),
            ("each goes on as before (naive)", held.own_rate),
            ("the same for all", held.same_for_all),
        )
    ]
    yield from table(("orders guessed by", "sum", "MAE", "RMSE"), rows)
    yield f"  churn: Brier {held.brier:.4f} (naive, last period's share for all: {held.brier_naive:.4f})"
    if held.auc is not None and held.auc_recency is not None:
        yield f"  churn: AUC {held.auc:.4f} (days since the last order alone: {held.auc_recency:.4f})"
    groups = [(f"{d.customers:,}", f"{d.told:.3f}", f"{d.happened:.3f}") for d in held.deciles]
    yield from table(("customers", "risk told", "did not order"), groups)
