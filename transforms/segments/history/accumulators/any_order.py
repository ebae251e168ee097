"""Running values of events that begin and cease to count in any order, as those of funnels do.

The accumulators take events out in the order in which they came in; here any event may go at any time, and each costs a
logarithm of how many there are. What a value means is what the accumulators say.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from transforms.segments.accumulators.accumulator import Active
from transforms.segments.accumulators.sums import Sum
from transforms.segments.language import ast
from transforms.segments.reducers import accumulator
from transforms.segments.values import json_key

_SECOND_US = 1_000_000


class Interval(NamedTuple):
    """Over [start, end) an event counts, and contributes."""

    start: int
    end: int
    row: int
    time: int
    contribution: tuple[Any, ...]


class Running(Protocol):
    """A value of the events that count at present. `number`: an event's place in the list of all."""

    def add(self, number: int, one: Interval) -> None: ...

    def remove(self, number: int, one: Interval) -> None: ...

    def value(self) -> Any: ...


def values_over_time(intervals: Sequence[Interval], reduced: ast.Reduced, never: int) -> Iterator[tuple[int, Any]]:
    """(point, value from there on), at every point before `never` at which an event begins or ceases to count."""
    running = _KINDS.get(reduced.reducer, _Recounted)(reduced, intervals)
    begins = sorted(range(len(intervals)), key=lambda number: intervals[number].start)
    ends = sorted(range(len(intervals)), key=lambda number: intervals[number].end)
    begun, gone = 0, 0
    for now in sorted({point for one in intervals for point in one[:2] if point < never}):
        while begun < len(begins) and intervals[begins[begun]].start <= now:
            running.add(begins[begun], intervals[begins[begun]])
            begun += 1
        while gone < len(ends) and intervals[ends[gone]].end <= now:
            running.remove(ends[gone], intervals[ends[gone]])
            gone += 1
        yield now, running.value()


class _Best:
    """first, last, min, max: the event with the least key; one that has gone is dropped when it comes up."""

    def __init__(self, reduced: ast.Reduced, intervals: Sequence[Interval]) -> None:
        self._keys, self._value = _KEYS[reduced.reducer](intervals)
        self._active: set[int] = set()
        self._heap: list[tuple[int, int, int]] = []

    def add(self, number: int, one: Interval) -> None:
        self._active.add(number)
        heappush(self._heap, (*self._keys(number, one), number))

    def remove(self, number: int, one: Interval) -> None:
        self._active.discard(number)

    def value(self) -> Any:
        while self._heap and self._heap[0][2] not in self._active:
            heappop(self._heap)
        return self._value(self._heap[0][2]) if self._heap else None


_Keys = Callable[[int, Interval], tuple[int, int]]
_Chosen = tuple[_Keys, Callable[[int], Any]]


def _earliest(intervals: Sequence[Interval]) -> _Chosen:
    return lambda _, one: (one.row, 0), lambda number: intervals[number].contribution[0]


def _latest(intervals: Sequence[Interval]) -> _Chosen:
    return lambda _, one: (-one.row, 0), lambda number: intervals[number].contribution[-1]


def _earliest_time(intervals: Sequence[Interval]) -> _Chosen:
    return lambda _, one: (one.row, 0), lambda number: intervals[number].time


def _latest_time(intervals: Sequence[Interval]) -> _Chosen:
    return lambda _, one: (-one.row, 0), lambda number: intervals[number].time


def _extreme(best: Callable[[Any], Any], *, is_max: bool) -> Callable[[Sequence[Interval]], _Chosen]:
    def choose(intervals: Sequence[Interval]) -> _Chosen:
        values = [best(one.contribution) for one in intervals]
        ranks = {value: rank for rank, value in enumerate(sorted(set(values), reverse=is_max))}
        return lambda number, one: (ranks[values[number]], one.row), values.__getitem__

    return choose


_KEYS: dict[str, Callable[[Sequence[Interval]], _Chosen]] = {
    "first": _earliest,
    "last": _latest,
    "first_at": _earliest_time,
    "last_at": _latest_time,
    "min": _extreme(min, is_max=False),
    "max": _extreme(max, is_max=True),
}


class _Sum:
    """sum and avg: what is added can be taken out again in any order."""

    def __init__(self, reduced: ast.Reduced, _: Sequence[Interval]) -> None:
        self._running = Sum(reduced, endless=True)
        self._sums = self._running.empty()

    def add(self, number: int, one: Interval) -> None:
        self._running.count_in(self._sums, (one.time, "", one.contribution))

    def remove(self, number: int, one: Interval) -> None:
        self._running.count_out(self._sums, (one.time, "", one.contribution))

    def value(self) -> Any:
        return self._running.value(Active(), self._sums)


Place = tuple[int, int]
"""(row, place among what the event contributes)."""

_place_of: Callable[[tuple[Place, Any]], Place] = itemgetter(0)


class _Occurrences:
    """The different values, each with the places where it occurs, in order."""

    def __init__(self, reduced: ast.Reduced, _: Sequence[Interval]) -> None:
        self.reduced = reduced
        self.places: dict[Any, list[tuple[Place, Any]]] = {}

    def add(self, number: int, one: Interval) -> None:
        for place, value in enumerate(one.contribution):
            insort(self.places.setdefault(json_key(value), []), ((one.row, place), value), key=_place_of)
            self.changed(json_key(value))

    def remove(self, number: int, one: Interval) -> None:
        for place, value in enumerate(one.contribution):
            key = json_key(value)
            own = self.places[key]
            del own[bisect_left(own, (one.row, place), key=_place_of)]
            if not own:
                del self.places[key]
            self.changed(key)

    def changed(self, key: Any) -> None:
        """The occurrences of a value are no longer the same."""

    def value(self) -> Any:
        if self.reduced.reducer == "unique_count":
            return len(self.places)
        return [own[0][1] for own in sorted(self.places.values(), key=lambda own: own[0][0])]


class _Mode(_Occurrences):
    """mode: the commonest value, of several the one seen last; what is no longer so is dropped when it comes up."""

    def __init__(self, reduced: ast.Reduced, intervals: Sequence[Interval]) -> None:
        super().__init__(reduced, intervals)
        self._heap: list[tuple[int, int, int, int, Any]] = []
        self._pushed = 0

    def changed(self, key: Any) -> None:
        own = self.places.get(key)
        if own:
            row, place = own[-1][0]
            self._pushed += 1
            heappush(self._heap, (-len(own), -row, -place, self._pushed, key))

    def value(self) -> Any:
        while self._heap:
            count, row, place, _, key = self._heap[0]
            own = self.places.get(key)
            if own and len(own) == -count and own[-1][0] == (-row, -place):
                return own[0][1] if len(own) >= (self.reduced.min_frequency or 1) else None
            heappop(self._heap)
        return None


class _Visits:
    """sessions and time_spent: the gaps between neighbours in time."""

    def __init__(self, reduced: ast.Reduced, _: Sequence[Interval]) -> None:
        self.reduced = reduced
        self._times: list[int] = []
        self._pauses, self._within = 0, 0

    def add(self, number: int, one: Interval) -> None:
        place = bisect_left(self._times, one.time)
        self._count(place, one.time, 1)
        self._times.insert(place, one.time)

    def remove(self, number: int, one: Interval) -> None:
        place = bisect_left(self._times, one.time)
        del self._times[place]
        self._count(place, one.time, -1)

    def _count(self, place: int, time: int, sign: int) -> None:
        """An event between the neighbours at `place - 1` and `place` makes two gaps of one, or one of two."""
        before = self._times[place - 1] if place else None
        after = self._times[place] if place < len(self._times) else None
        if before is not None and after is not None:
            self._gap(after - before, -sign)
        if before is not None:
            self._gap(time - before, sign)
        if after is not None:
            self._gap(after - time, sign)

    def _gap(self, gap: int, sign: int) -> None:
        if gap >= self.reduced.gap:
            self._pauses += sign
        else:
            self._within += sign * gap

    def value(self) -> Any:
        if self.reduced.reducer == "sessions":
            return self._pauses + 1 if self._times else 0
        seconds, rest = divmod(self._within, _SECOND_US)
        return self._within / _SECOND_US if rest else seconds


class _Recounted:
    """Any other reducer: added up anew at each point."""

    def __init__(self, reduced: ast.Reduced, _: Sequence[Interval]) -> None:
        self._reduce = accumulator(reduced, endless=True).reduce
        self._active: dict[int, Interval] = {}

    def add(self, number: int, one: Interval) -> None:
        self._active[number] = one

    def remove(self, number: int, one: Interval) -> None:
        del self._active[number]

    def value(self) -> Any:
        active = sorted(self._active.values(), key=lambda one: one.row)
        return self._reduce([(one.time, "", one.contribution) for one in active])


_KINDS: dict[str, Callable[[ast.Reduced, Sequence[Interval]], Running]] = {
    **dict.fromkeys(_KEYS, _Best),
    **dict.fromkeys(("sum", "avg"), _Sum),
    **dict.fromkeys(("unique", "unique_count"), _Occurrences),
    **dict.fromkeys(("sessions", "time_spent"), _Visits),
    "mode": _Mode,
}
