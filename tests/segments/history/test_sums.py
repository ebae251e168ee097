"""Sums of windows as the accumulators have them, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transforms.segments.accumulators.sums import Sum
from transforms.segments.history.accumulators.sums import RunningTotals, digits_of, fitting_profiles, means, sums
from transforms.segments.language import ast

DECIMALS = st.decimals(-1_000_000, 1_000_000, places=2).map(float)
NUMBERS = st.one_of(
    DECIMALS, st.integers(-(10**12), 10**12), st.sampled_from(["0.10", "7", "1e3", "12.345678901"]), st.just(0.1)
)
STREAM = ast.Stream("track", "A")


def by_accumulator(reducer: str, numbers: list[Any]) -> Any:
    running = Sum(ast.Reduced(STREAM, reducer, ast.Field("properties", "x")), endless=True)
    return running.reduce([(0, "", (number,)) for number in numbers])


@given(st.lists(NUMBERS, min_size=1, max_size=12), st.data())
def test_sums_and_means_of_runs(numbers: list[Any], data: st.DataObject) -> None:
    numbers = [int(number) if isinstance(number, str) and number.isdigit() else number for number in numbers]
    added = digits_of([(number,) for number in numbers])
    code = np.arange(len(numbers))
    first = data.draw(st.integers(0, len(numbers)))
    last = data.draw(st.integers(first, len(numbers)))
    if not fitting_profiles(added, code, np.zeros(len(numbers), np.int64), 1).all():
        return
    total, count, fractions = RunningTotals(added, code).between(np.array([first]), np.array([last]))
    for reducer, (values, floats) in (
        ("sum", sums(total, fractions, added.scale)),
        ("avg", means(total, count, added.scale)),
    ):
        expected = by_accumulator(reducer, numbers[first:last])
        assert (type(values[0]), values[0]) == (type(expected), expected)
        if floats is not None and expected is not None:
            assert floats[0] == expected


def test_what_does_not_fit_is_said() -> None:
    added = digits_of([(1,), (2**53,), (1e300,), ("1e-20",), ("1e4000",), None, (0.1, 0.2)])
    assert added.fits.tolist() == [True, False, False, False, False, True, True]
    profiles = np.array([0, 1, 1, 2, 2, 3, 3])
    assert fitting_profiles(added, np.arange(7), profiles, 4).tolist() == [True, False, False, True]


def test_a_profile_whose_total_would_wrap_does_not_fit() -> None:
    added = digits_of([(2**52,)])
    many = np.zeros(2000, np.int64)
    assert fitting_profiles(added, many, many, 1).tolist() == [False]
