"""Which orders were known when, and that nothing after the instant is looked at."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.predict import Predicted, predict
from tests.predictions import cdnow
from transforms.predictions.calibrate import fit_calibration
from transforms.predictions.forecast import PooledRate, forecast
from transforms.predictions.money import price
from transforms.predictions.orders import DAY_US, Kind, OrderEvent, histories, summarise
from transforms.predictions.tell import identify_event

WEEK = 7 * DAY_US


def event(who: str, day: float, number: int = 0, kind: Kind = "order", **fields: object) -> OrderEvent:
    made = OrderEvent(f"user:{who}", int(day * DAY_US), f"m{who}{day}{number}{kind}", kind, None, 10.0, "EUR")
    return made._replace(**fields)


def bought(events: list[OrderEvent], until: float) -> list[tuple[int, float | None]]:
    found = histories(events, int(until * DAY_US))
    return [(purchase.at // DAY_US, purchase.amount) for customer in found for purchase in customer.purchases]


def test_orders_of_one_day_are_one_purchase() -> None:
    assert bought([event("a", 1.1), event("a", 1.9, 1), event("a", 2.0)], 9) == [(1, 20.0), (2, 10.0)]


def test_an_order_told_twice_counts_once() -> None:
    assert bought([event("a", 1, order_id="o"), event("a", 3, order_id="o")], 9) == [(1, 10.0)]


def test_a_cancelled_order_is_none_from_its_cancellation_on() -> None:
    events = [event("a", 1, order_id="o"), event("a", 4, kind="cancellation", order_id="o")]
    assert bought(events, 3) == [(1, 10.0)]
    assert bought(events, 4) == []


def test_a_refund_lowers_the_amount_once_it_is_known() -> None:
    events = [event("a", 1, order_id="o"), event("a", 4, kind="refund", order_id="o", amount=4.0)]
    assert bought(events, 3) == [(1, 10.0)]
    assert bought(events, 4) == [(1, 6.0)]


def test_currencies_are_not_added() -> None:
    events = [event("a", day) for day in (1, 2, 3)] + [event("a", 4, currency="JPY", amount=9_000.0)]
    events += [event("b", day, currency="JPY", amount=5_000.0) for day in (1, 2)] + [event("c", 1, amount=None)]
    customers = histories(events, 9 * DAY_US)
    prices = price(customers)
    assert [(model.currency, model.mean) for model in prices.models] == [("EUR", 10.0), ("JPY", 5_000.0)]
    assert list(prices.worth) == [10.0, 5_000.0, 10.0]


def test_few_repeaters_get_the_pooled_rate() -> None:
    made = forecast([event("a", 0), event("a", 7), event("b", 0)], 14 * DAY_US)
    assert isinstance(made.model, PooledRate)
    assert made.model.per_week == 0.25
    assert list(made.expected(4 * WEEK)) == [1.0, 1.0]


def test_recency_and_age_are_in_weeks_and_the_first_order_is_no_repeat() -> None:
    summary = summarise(histories([event("a", 0), event("a", 7)], 21 * DAY_US), 21 * DAY_US)
    assert (summary.frequency[0], summary.recency[0], summary.age[0]) == (1, 1, 3)


def written(found: Predicted) -> list[bytes]:
    return [identify_event(told, found.as_of, 90) for told in found.told]


def test_the_future_changes_nothing() -> None:
    """Orders after the instant are dealt out anew to other customers, days and amounts; nothing told changes."""
    as_of, rng = cdnow.instant("19971231"), random.Random(5)  # noqa: S311 - a shuffle, no secret
    events = [one for one in cdnow.orders() if int(one.profile_id[5:]) % 2]
    known = [one for one in events if one.at <= as_of]
    later = [one for one in events if one.at > as_of]
    people = [one.profile_id for one in later]
    rng.shuffle(people)
    other = [
        one._replace(profile_id=who, at=one.at + rng.randrange(1, 90) * DAY_US, amount=rng.random() * 900)
        for one, who in zip(later, people, strict=True)
    ]
    assert later
    found = [predict(seen, as_of, 90 * DAY_US, 365 * DAY_US) for seen in ([*known, *later], [*other, *known], known)]
    assert found[0].trial.held_out is not None
    assert len(written(found[0])) > 1_000
    for another in found[1:]:
        assert written(another) == written(found[0])
        assert another.trial == found[0].trial


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60)), max_size=30), st.randoms())
def test_the_order_of_arrival_changes_nothing(rows: list[tuple[str, int]], rng: random.Random) -> None:
    events = [event(who, day, number) for number, (who, day) in enumerate(rows)]
    shuffled = events[:]
    rng.shuffle(shuffled)
    as_of = 50 * DAY_US
    assert written(predict(shuffled, as_of, WEEK, 4 * WEEK)) == written(predict(events, as_of, WEEK, 4 * WEEK))


def test_calibration_moves_the_risks_to_what_happened_and_keeps_their_order() -> None:
    rng = np.random.default_rng(3)
    truth = rng.uniform(0.05, 0.95, 4_000)
    happened = (rng.uniform(size=4_000) < truth).astype(np.float64)
    told = truth**3  # far too low
    mended = fit_calibration(told, happened).apply(told)
    assert np.mean((mended - truth) ** 2) < np.mean((told - truth) ** 2) / 10
    assert np.array_equal(np.argsort(mended), np.argsort(told))
