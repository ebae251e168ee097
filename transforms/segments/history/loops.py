"""Reducers without a form of their own: event by event, owner by owner, made into the same steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from transforms.segments.history.accumulators.any_order import Interval, values_over_time
from transforms.segments.history.counting import Counting
from transforms.segments.history.scope import Scope
from transforms.segments.history.steps import Codes, Steps
from transforms.segments.language import ast


def looped_steps(
    scope: Scope, counting: Counting, contributed: Sequence[tuple[Any, ...]], reduced: ast.Reduced, default: Any
) -> Steps:
    """The value at every point at which an event begins or ceases to count; `contributed` by each of them."""
    times = scope.world.histories.timestamp[counting.row].tolist()
    intervals = [
        Interval(start, end, row, time, values)
        for row, start, end, time, values in zip(
            *(column.tolist() for column in counting), times, contributed, strict=True
        )
    ]
    at, codes, known = list[int](), list[int](), Codes()
    for owner, own in groupby(intervals, key=lambda one: one.start // scope.span):
        for point, value in values_over_time(list(own), reduced, int(scope.whole.end[owner])):
            at.append(point)
            codes.append(known.code(value))
    return Steps(np.array(at, np.int64), np.array(codes, np.int64), known.values, default)
