"""The models against the figures that their authors published for the CDNOW data."""

import numpy as np
import pytest

from tests.predictions import cdnow
from transforms.predictions.bg_nbd import fit_bg_nbd
from transforms.predictions.evaluate import HeldOut, try_out
from transforms.predictions.gamma_gamma import fit_gamma_gamma
from transforms.predictions.orders import DAY_US, Summary


def test_bg_nbd_finds_the_published_parameters() -> None:
    model = fit_bg_nbd(cdnow.summary())
    assert (model.r, model.alpha, model.a, model.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=0.0005)
    assert model.log_likelihood == pytest.approx(-9582.4, abs=0.05)


def test_gamma_gamma_finds_the_published_parameters() -> None:
    orders, mean = cdnow.columns("cdnow_customers_summary_with_transactions.csv", "x", "zbar")
    model = fit_gamma_gamma(orders[orders > 0], mean[orders > 0])
    assert (model.p, model.q, model.v) == pytest.approx((6.25, 3.74, 15.44), rel=0.002)


def test_churn_is_no_order_within_the_horizon_and_not_having_left() -> None:
    """Of a customer of one purchase nobody can say that they left; that they will not buy is still likely."""
    model = fit_bg_nbd(cdnow.summary())
    once = Summary(np.zeros(1), np.zeros(1), np.full(1, 30.0))
    assert model.alive(once)[0] == 1
    assert model.no_order(once, 13.0)[0] > 0.8


def test_no_order_and_expected_orders_agree() -> None:
    """Over a short span there is one order or none: the expectation is the probability of one."""
    customers = cdnow.summary()
    model = fit_bg_nbd(customers)
    expected, no_order = model.expected(customers, 1e-3), model.no_order(customers, 1e-3)
    assert np.allclose(expected, 1 - no_order, rtol=5e-3)


@pytest.fixture(scope="module")
def held_out() -> HeldOut:
    """What is predicted on 30 September 1997 for the next 39 weeks, with what happened in them."""
    trial = try_out(cdnow.orders(), cdnow.instant("19980630"), 39 * 7 * DAY_US)
    # Less than two horizons of orders lie before the end: nothing is held out unless the horizon is shorter.
    assert trial.held_out is None
    trial = try_out(cdnow.orders(), cdnow.instant("19980630"), 26 * 7 * DAY_US)
    assert trial.held_out is not None
    return trial.held_out


def test_it_is_better_than_the_naive_guesses_on_what_was_held_out(held_out: HeldOut) -> None:
    for naive in (held_out.own_rate, held_out.same_for_all):
        assert held_out.model.mean_absolute < naive.mean_absolute
        assert held_out.model.root_mean_square < naive.root_mean_square
    assert held_out.brier < held_out.brier_naive
    assert held_out.auc is not None
    assert held_out.auc > 0.75


def test_the_risks_told_are_those_that_happen(held_out: HeldOut) -> None:
    off = [abs(decile.told - decile.happened) * decile.customers for decile in held_out.deciles]
    assert sum(off) / held_out.customers < 0.06
