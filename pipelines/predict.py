"""`python -m pipelines.predict`: expected orders, lifetime value and churn risk of each customer, as events."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.ledger import LedgerError, open_ledger
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, Output
from pipelines.io.tables.query import open_tables
from pipelines.io.targets.target import TargetError
from pipelines.io.write_events import EventPlace, write_events
from pipelines.trust.arguments import (
    CommandParser,
    Problems,
    add_events_argument,
    add_ledger_argument,
    add_tables_argument,
    duration_of,
    events_of,
    instant_of,
    tables_of,
)
from pipelines.trust.ledger import ledger_place
from pipelines.trust.order_events import read_order_events, tables_as_of
from pipelines.trust.predict_text import summary_lines
from schemas.errors import OutputError, UsageError
from schemas.ledger import PREDICTION_TRIALS, PREDICTIONS
from schemas.tables import Table
from transforms.predictions.evaluate import Trial, held_out_json, try_out
from transforms.predictions.forecast import Forecast, PooledRate, forecast
from transforms.predictions.money import Prices, price
from transforms.predictions.orders import DAY_US, OrderEvent
from transforms.predictions.tell import Prediction, identify_event, prediction_row, predictions


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """What was asked. Instants and durations in microseconds. `events` None: only the summary."""

    tables: Output
    as_of: int | None
    events: EventPlace | None
    ledger: DuckDBOutput | BigQueryOutput
    horizon_us: int
    lifetime_us: int
    order_event: str


def argument_parser() -> CommandParser:
    """The command line."""
    parser = CommandParser(
        prog="python -m pipelines.predict",
        description="Predict expected orders, lifetime value and churn risk of each customer, from the orders known at "
        "an instant, and tell how good such predictions were on the last period that is over.",
        epilog="Exit status: 0 done, 1 the tables cannot be read or the events not be written, 2 wrong arguments.",
        allow_abbrev=False,
    )
    add_tables_argument(parser)
    parser.add_argument("--as_of", metavar="INSTANT", help="predict from here on (default: what the tables tell of)")
    add_events_argument(parser)
    parser.add_argument(
        "--horizon", default="90 days", metavar="DURATION", help="expected orders and churn risk (default: %(default)s)"
    )
    parser.add_argument(
        "--lifetime",
        default="365 days",
        metavar="DURATION",
        help="the span of the lifetime value (default: %(default)s)",
    )
    parser.add_argument(
        "--order_event", default="Order Completed", metavar="NAME", help="the track event (default: %(default)s)"
    )
    add_ledger_argument(parser, "predictions")
    return parser


def parse_options(arguments: Sequence[str]) -> PredictOptions:
    """Reads and checks the command line. Raises UsageError: with everything that is wrong."""
    known, problems = argument_parser().parse(arguments), Problems()
    tables = problems.checked(lambda: tables_of(known.input))
    as_of = problems.checked(lambda: instant_of("as_of", known.as_of)) if known.as_of else None
    events = problems.checked(lambda: events_of(known.events)) if known.events else None
    ledger = problems.checked(lambda: ledger_place(known.ledger, tables)) if tables else None
    horizon = problems.checked(lambda: duration_of("horizon", known.horizon))
    lifetime = problems.checked(lambda: duration_of("lifetime", known.lifetime))
    problems.end()
    assert tables is not None and ledger is not None and horizon is not None and lifetime is not None  # noqa: S101, PT018 - no problems
    return PredictOptions(tables, as_of, events, ledger, horizon, lifetime, known.order_event)


@dataclass(frozen=True, slots=True)
class Predicted:
    """All that a run found, before anything is written."""

    as_of: int
    made: Forecast
    prices: Prices
    trial: Trial
    told: tuple[Prediction, ...]


def predict(events: Sequence[OrderEvent], as_of: int, horizon_us: int, lifetime_us: int) -> Predicted:
    """Predictions as of an instant, from nothing after it."""
    made, trial = forecast(events, as_of), try_out(events, as_of, horizon_us)
    prices = price(made.customers)
    told = predictions(made, prices, trial.calibration, horizon_us, lifetime_us)
    return Predicted(as_of, made, prices, trial, tuple(told))


def ledger_rows(found: Predicted, horizon_days: int) -> dict[Table, list[tuple[Any, ...]]]:
    """The rows of `predictions` and `prediction_trials`."""
    model = "pooled rate" if isinstance(found.made.model, PooledRate) else "BG/NBD"
    told = [prediction_row(one, found.as_of, horizon_days, model) for one in found.told]
    held = found.trial.held_out
    trials = [] if held is None else [(found.as_of, horizon_days, held.customers, held_out_json(held))]
    return {PREDICTIONS: told, PREDICTION_TRIALS: trials}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    try:
        options = parse_options(sys.argv[1:] if arguments is None else arguments)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        return _run(options)
    except (OutputError, LedgerError, BigQueryError, TargetError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _run(options: PredictOptions) -> int:
    with open_tables(options.tables) as tables:
        as_of = options.as_of if options.as_of is not None else tables_as_of(tables)
        if as_of is None:
            print("There are no profiles: nothing to predict.")
            return 0
        events = read_order_events(tables, options.order_event, as_of)
    found = predict(events, as_of, options.horizon_us, options.lifetime_us)
    for line in summary_lines(found.made, found.prices, found.trial, found.told, options.horizon_us):
        print(line)
    days = round(options.horizon_us / DAY_US)
    with open_ledger(options.ledger) as ledger:
        ledger.write(ledger_rows(found, days))
    if options.events is not None:
        written = [identify_event(prediction, as_of, days) for prediction in found.told]
        write_events(options.events, "predictions", written)
        print(f"\n{len(written):,} identify events  {options.events}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
