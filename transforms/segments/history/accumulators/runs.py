"""Reducers over runs of entries: each run [first, last) of the entries of a stream comes to one value."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from transforms.segments.history.accumulators.sums import Digits, RunningTotals, digits_of, running_totals, sums_of
from transforms.segments.history.histories import Integers
from transforms.segments.history.steps import Codes, Numbers
from transforms.segments.history.streams import Entries, Operand
from transforms.segments.history.timeline import NOTHING, ranges
from transforms.segments.language import ast
from transforms.segments.reducers import accumulator
from transforms.segments.values import json_key

_SECOND_US = 1_000_000


class Values(NamedTuple):
    """The value of each run, coded; `rows`: the event that decides it (-1: none), where one does."""

    code: Integers
    values: Any
    numbers: Numbers | None = None
    rows: Integers | None = None


# --- what entries contribute -----------------------------------------------------------------------------------------


def contributions(operand: Operand | None, entries: Entries) -> list[tuple[Any, ...]]:
    """Of each entry."""
    if operand is None:
        return [()] * len(entries)
    found = operand.contributions(entries.world)
    return [found[code] or () for code in _codes(operand, entries).tolist()]


def _codes(operand: Operand, entries: Entries) -> Integers:
    return entries.world.field(operand.field).of(entries.rows)


def digits(operand: Operand | None, entries: Entries) -> tuple[Digits, Integers]:
    """What the values of the operand add, and which of them each entry has."""
    if operand is None:
        raise TypeError("a sum is of a property")
    world = entries.world
    return world.keep(operand, lambda: digits_of(operand.contributions(world)), "digits"), _codes(operand, entries)


def keys(operand: Operand | None, entries: Entries) -> tuple[Integers, Integers]:
    """(entry, key) of every value that the entries contribute: equal keys are equal JSON values."""
    if operand is None:
        raise TypeError("values are those of a property")
    world = entries.world
    counts, flat = world.keep(operand, lambda: _keys(operand.contributions(world)), "keys")
    return _spread(_codes(operand, entries), counts, flat)


def _keys(found: list[tuple[Any, ...] | None]) -> tuple[Integers, Integers]:
    codes: dict[Any, int] = {}
    flat = [codes.setdefault(json_key(value), len(codes)) for values in found for value in values or ()]
    return np.array([len(values or ()) for values in found], np.int64), np.array(flat, np.int64)


def _spread(code: Integers, counts: Integers, flat: Integers) -> tuple[Integers, Integers]:
    starts = counts.cumsum() - counts
    place, at = ranges(starts[code], starts[code] + counts[code])
    return place, flat[at] if len(at) else NOTHING


# --- reducers --------------------------------------------------------------------------------------------------------


def reduce_runs(
    reduced: ast.Reduced, operand: Operand | None, entries: Entries, first: Integers, last: Integers
) -> Values:
    """The value of each run, for the reducers of OF_RUNS."""
    return OF_RUNS[reduced.reducer](reduced, operand, entries, first, last)


def _count(_: ast.Reduced, __: Operand | None, ___: Entries, first: Integers, last: Integers) -> Values:
    count = last - first
    most = int(count.max(initial=0))
    return Values(count, range(most + 1), np.arange(most + 1, dtype=float))


def _sums(reduced: ast.Reduced, operand: Operand | None, entries: Entries, first: Integers, last: Integers) -> Values:
    running = RunningTotals(*digits(operand, entries))
    total, count, fractions = running.between(first, last)
    values, numbers = sums_of(reduced.reducer, total, count, fractions, running.scale)
    return Values(np.arange(len(values)), values, numbers)


def _decided(
    reduced: ast.Reduced, operand: Operand | None, entries: Entries, first: Integers, last: Integers
) -> Values:
    """First and last, first_at and last_at: the entry at an end of the run."""
    is_first = reduced.reducer.startswith("first")
    some = first < last
    place = np.where(some, first if is_first else last - 1, 0)
    rows = np.where(some, entries.rows[place], -1)
    if operand is None:
        instants = entries.world.histories.timestamp[entries.rows[place]]
        distinct, code = np.unique(instants, return_inverse=True)
        return Values(np.where(some, code, len(distinct)), [*distinct.tolist(), None], rows=rows)
    found = operand.contributions(entries.world)
    values = [None if contributed is None else contributed[0 if is_first else -1] for contributed in found]
    return Values(np.where(some, _codes(operand, entries)[place], len(values)), [*values, None], rows=rows)


def _visits(reduced: ast.Reduced, _: Operand | None, entries: Entries, first: Integers, last: Integers) -> Values:
    """Sessions and time_spent: running totals of the gaps between entries."""
    gaps = np.diff(entries.on_line, prepend=entries.on_line[:1])
    parts = gaps >= reduced.gap
    some = first < last
    inner = np.where(some, first + 1, last)
    if reduced.reducer == "sessions":
        running = running_totals(parts.astype(np.int64))
        count = running[last] - running[inner] + some
        most = int(count.max(initial=0))
        return Values(count, range(most + 1), np.arange(most + 1, dtype=float))
    running = running_totals(np.where(parts, 0, gaps))
    spent = running[last] - running[inner]
    seconds, rest = np.divmod(spent, _SECOND_US)
    exact = spent / _SECOND_US
    values = [
        whole if not part else value
        for whole, part, value in zip(seconds.tolist(), rest.tolist(), exact.tolist(), strict=True)
    ]
    return Values(np.arange(len(values)), values, exact)


_Reduce = Callable[[ast.Reduced, Operand | None, Entries, Integers, Integers], Values]
OF_RUNS: dict[str, _Reduce] = {
    "count": _count,
    "sum": _sums,
    "avg": _sums,
    "first": _decided,
    "last": _decided,
    "first_at": _decided,
    "last_at": _decided,
    "sessions": _visits,
    "time_spent": _visits,
}


def distinct_values(
    reduced: ast.Reduced, operand: Operand | None, entries: Entries, first: Integers, last: Integers
) -> list[Any]:
    """unique, unique_count and mode of runs that do not overlap."""
    run, at = ranges(first, last)
    place, key = keys(operand, entries)
    values = _flat_values(operand, entries)
    counts = np.bincount(place, minlength=len(entries))
    ends = counts.cumsum()
    which, flat = ranges((ends - counts)[at], ends[at])
    run, key = run[which], key[flat]
    group = run * (int(key.max(initial=0)) + 1) + key
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.append(True, group[order][1:] != group[order][:-1])) if len(order) else NOTHING
    size = np.diff(np.append(starts, len(order)))
    seen_first, seen_last = order[starts], order[starts + size - 1] if len(order) else NOTHING
    if reduced.reducer == "unique_count":
        found: list[Any] = np.bincount(run[seen_first], minlength=len(first)).tolist()
        return found
    if reduced.reducer == "mode":
        return _modes(reduced, run[seen_first], size, seen_last, len(first), lambda n: values(flat[seen_first[n]]))
    lists: list[list[Any]] = [[] for _ in range(len(first))]
    for place_seen in np.sort(seen_first).tolist():
        lists[run[place_seen]].append(values(flat[place_seen]))
    return lists


def _modes(
    reduced: ast.Reduced, run: Integers, size: Integers, seen_last: Integers, runs: int, value: Callable[[int], Any]
) -> list[Any]:
    """The commonest value of each run, if it is common enough; of several the one seen last."""
    found: list[Any] = [None] * runs
    order = np.lexsort((seen_last, size, run))
    for place in order[np.append(run[order][1:] != run[order][:-1], True)].tolist() if len(order) else ():
        if size[place] >= (reduced.min_frequency or 1):
            found[run[place]] = value(place)
    return found


def _flat_values(operand: Operand | None, entries: Entries) -> Callable[[int], Any]:
    """The value at a place among all that the entries contribute, in order."""
    if operand is None:
        raise TypeError("values are those of a property")
    found, code = operand.contributions(entries.world), _codes(operand, entries)
    sizes = np.array([len(values or ()) for values in found], np.int64)
    ends = np.cumsum(sizes[code])

    def value(flat: int) -> Any:
        entry = int(ends.searchsorted(flat, "right"))
        values = found[code[entry]] or ()
        return values[flat - int(ends[entry] - len(values))]

    return value


def reduced_one_by_one(
    reduced: ast.Reduced, operand: Operand | None, entries: Entries, first: Integers, last: Integers
) -> list[Any]:
    """Any reducer of any runs, through its accumulator."""
    found = contributions(operand, entries)
    times = entries.world.histories.timestamp[entries.rows].tolist()
    reduce = accumulator(reduced, endless=True).reduce
    return [
        reduce([(times[place], "", found[place]) for place in range(begin, end)])
        for begin, end in zip(first.tolist(), last.tolist(), strict=True)
    ]


# --- extremes --------------------------------------------------------------------------------------------------------


class Ranks(NamedTuple):
    """Of each entry its best value, coded, and how good that is: the greater the better, equal where values are."""

    code: Integers
    level: Integers
    values: list[Any]


def ranks(reduced: ast.Reduced, operand: Operand | None, entries: Entries) -> Ranks:
    """What min and max compare."""
    if operand is None:
        raise TypeError("an extreme is of a property")
    is_min = reduced.reducer == "min"
    best = min if is_min else max
    codes = Codes()
    code = np.array([codes.code(best(values)) if values else -1 for values in operand.contributions(entries.world)])
    values = codes.values
    order = sorted(range(len(values)), key=values.__getitem__, reverse=is_min)
    level = np.zeros(len(values), np.int64)
    for before, place in pairwise(order):
        level[place] = level[before] + (values[before] != values[place])
    own = code[_codes(operand, entries)]
    return Ranks(own, level[own], values)


def reigns(entries: Entries, level: Integers) -> tuple[Integers, Integers]:
    """From when to when each entry decides: [start, end), empty where it never does.

    It does so from when it counts, or one before it that is as good has gone, until it goes or a better one comes.
    """
    start, end = entries.start.tolist(), entries.end.tolist()
    begins, ends = start.copy(), end.copy()
    profiles = entries.world.histories.profile[entries.rows].tolist()
    levels = level.tolist()
    waiting: list[int] = []
    owner = -1
    for place, own in enumerate(levels):
        if profiles[place] != owner:
            owner = profiles[place]
            waiting.clear()
        while waiting and levels[waiting[-1]] < own:
            beaten = waiting.pop()
            ends[beaten] = min(ends[beaten], start[place])
        if waiting:
            begins[place] = max(begins[place], end[waiting[-1]])
        waiting.append(place)
    return np.array(begins, np.int64), np.array(ends, np.int64)
