"""Reducers without a form of their own: the accumulators, profile by profile, made into steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from transforms.segments.accumulators.accumulator import Accumulator, Active, Entry
from transforms.segments.history.histories import Integers
from transforms.segments.history.steps import Codes, Steps
from transforms.segments.history.streams import Entries

Contribution = tuple[Any, ...]


def looped_steps(
    entries: Entries,
    places: Integers,
    contributions: Sequence[Contribution],
    running: Accumulator,
    never: Integers,
    default: Any,
) -> Steps:
    """The running value over some of the entries, at every point at which one of them begins or ceases to count."""
    profile = entries.world.histories.profile[entries.rows[places]]
    groups = np.split(places, np.flatnonzero(profile[1:] != profile[:-1]) + 1) if len(places) else ()
    at, codes, known = list[int](), list[int](), Codes()
    times = entries.world.histories.timestamp
    for group in groups:
        own = [
            (time, "", contributions[place])
            for time, place in zip(times[entries.rows[group]].tolist(), group.tolist(), strict=True)
        ]
        end = int(never[entries.world.histories.profile[entries.rows[group[0]]]])
        for point, value in _values(own, entries.start[group].tolist(), entries.end[group].tolist(), running, end):
            at.append(point)
            codes.append(known.code(value))
    return Steps(np.array(at, np.int64), np.array(codes, np.int64), known.values, default)


def _values(
    own: Sequence[Entry], start: Sequence[int], end: Sequence[int], running: Accumulator, never: int
) -> Iterator[tuple[int, Any]]:
    """(point, value from there on) of one profile's entries."""
    active, sums = Active(), running.empty()
    begun, gone = 0, 0
    for now in sorted({point for point in (*start, *end) if point < never}):
        while begun < len(own) and start[begun] <= now:
            running.add(active, sums, own[begun])
            begun += 1
        while gone < begun and end[gone] <= now:
            running.expire(active, sums)
            gone += 1
        yield now, running.value(active, sums)
