"""Values of events that come and go in any order, as the accumulators have them of those that count."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.segments.history.agreement import same
from transforms.segments.accumulators.accumulator import Accumulator
from transforms.segments.history.accumulators.any_order import Interval, values_over_time
from transforms.segments.language import ast
from transforms.segments.reducers import REDUCERS, accumulator

NEVER = 40
NUMBERS = st.sampled_from([1, 2, 1.5, 2.0, 10**20, 0.1])
TEXTS = st.sampled_from(["a", "b", "c"])


@st.composite
def intervals(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> list[Interval]:
    found = []
    for row in range(draw(st.integers(1, 10))):
        start = draw(st.integers(0, NEVER - 1))
        end = draw(st.integers(start + 1, NEVER))
        found.append(Interval(start, end, row, row * 3 // 2, tuple(draw(st.lists(values, min_size=1, max_size=2)))))
    return sorted(found)


def by_accumulator(found: list[Interval], running: Accumulator, point: int) -> Any:
    active = sorted((one for one in found if one.start <= point < one.end), key=lambda one: one.row)
    return running.reduce([(one.time, "", one.contribution) for one in active])


@pytest.mark.parametrize("reducer", [name for name in REDUCERS if name != "count"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_at_every_point(reducer: str, data: st.DataObject) -> None:
    numbers = reducer in ("sum", "avg") or data.draw(st.booleans())
    found = data.draw(intervals(NUMBERS if numbers else TEXTS))
    least = data.draw(st.sampled_from([None, 2])) if reducer == "mode" else None
    operand = ast.Duration(2) if REDUCERS[reducer].argument == "gap" else ast.Field("properties", "x")
    reduced = ast.Reduced(ast.Stream("track", "A"), reducer, operand, min_frequency=least)
    running = accumulator(reduced, endless=True)
    told = dict(values_over_time(found, reduced, NEVER))
    assert told.keys() == {point for one in found for point in (one.start, one.end) if point < NEVER}
    for point, value in told.items():
        assert same(value, by_accumulator(found, running, point))
