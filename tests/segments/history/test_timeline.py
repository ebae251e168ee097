"""Sets of instants against sets of points."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transforms.segments.history.timeline import (
    Truth,
    complement,
    covered,
    from_flags,
    intersection,
    merged,
    merged_unordered,
    ranges,
    totals,
    union,
)

END = 30
INTERVALS = st.lists(st.tuples(st.integers(0, END), st.integers(0, END)), max_size=8)


def arrays(intervals: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([a for a, _ in intervals], np.int64), np.array([b for _, b in intervals], np.int64)


def points_of(intervals: list[tuple[int, int]]) -> set[int]:
    return {point for start, end in intervals for point in range(start, end)}


def points(truth: Truth) -> set[int]:
    """Its points, after a look at its form: sorted, none empty, no two that touch."""
    bounds = [bound for pair in zip(truth.start.tolist(), truth.end.tolist(), strict=True) for bound in pair]
    assert all(one < other for one, other in itertools.pairwise(bounds))
    return points_of(list(zip(bounds[::2], bounds[1::2], strict=True)))


@given(INTERVALS)
def test_merged(intervals: list[tuple[int, int]]) -> None:
    assert points(merged(*arrays(sorted(intervals)))) == points_of(intervals)
    assert points(merged_unordered(*arrays(intervals))) == points_of(intervals)


@given(st.lists(INTERVALS, min_size=1, max_size=4))
def test_junctions(several: list[list[tuple[int, int]]]) -> None:
    truths = [merged_unordered(*arrays(intervals)) for intervals in several]
    sets = [points_of(intervals) for intervals in several]
    assert points(union(truths)) == set.union(*sets)
    assert points(intersection(truths)) == set.intersection(*sets)


@given(INTERVALS, INTERVALS)
def test_complement(intervals: list[tuple[int, int]], whole: list[tuple[int, int]]) -> None:
    within = merged_unordered(*arrays(whole))
    inside = intersection([merged_unordered(*arrays(intervals)), within])
    assert points(complement(inside, within)) == points_of(whole) - points_of(intervals)


@given(INTERVALS, st.integers(1, 4))
def test_covered(intervals: list[tuple[int, int]], least: int) -> None:
    some = [pair for pair in intervals if pair[0] < pair[1]]
    expected = {point for point in range(END) if sum(start <= point < end for start, end in some) >= least}
    assert points(covered(*arrays(some), least)) == expected


@given(INTERVALS)
def test_whether_it_holds_at_points(intervals: list[tuple[int, int]]) -> None:
    found = merged_unordered(*arrays(intervals)).at(np.arange(END + 1))
    assert {point for point, holds in enumerate(found.tolist()) if holds} == points_of(intervals)


def test_flags_stand_until_the_next_point() -> None:
    truth = from_flags(np.array([2, 4, 7, 9]), np.array([True, True, False, False]))
    assert points(truth) == {2, 3, 4, 5, 6}


def test_totals_of_changes_at_the_same_point() -> None:
    at, (total,) = totals(np.array([5, 3, 5, 8]), [np.array([1, 10, 100, -1])])
    assert (at.tolist(), total.tolist()) == ([3, 5, 8], [10, 111, 110])


@given(INTERVALS, st.one_of(st.none(), st.integers(0, 3)))
def test_places_of_ranges(intervals: list[tuple[int, int]], most: int | None) -> None:
    row, place = ranges(*arrays(intervals), most)
    expected = [(n, at) for n, (start, end) in enumerate(intervals) for at in list(range(start, end))[:most]]
    assert list(zip(row.tolist(), place.tolist(), strict=True)) == expected
