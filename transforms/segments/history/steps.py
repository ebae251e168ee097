"""Step functions: a scalar of many owners at once, as the points at which it changes and its value from there on.

Values are coded: code i stands for `values[i]`, so that a comparison is asked once per distinct value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from transforms.segments.history.histories import Flags, Integers
from transforms.segments.history.timeline import NOTHING

Numbers = npt.NDArray[np.float64]


class Steps:
    """A scalar over the line.

    Attributes:
        at: distinct points, sorted.
        code: from each point on (to the owner's next, or the end of its stretch), the place of the value in `values`.
        values: JSON values; instants as integers.
        default: the value of an owner before its first point.
        numbers: `values` as floats where they are numbers that a float knows exactly or null (NaN); None: not known.
        rows: for scalars that one event decides, that event's row from each point on; -1 is none. `also`: a second one.
    """

    __slots__ = ("also", "at", "code", "default", "numbers", "rows", "values")

    def __init__(
        self,
        at: Integers,
        code: Integers,
        values: Sequence[Any],
        default: Any,
        *,
        numbers: Numbers | None = None,
        rows: Integers | None = None,
        also: Integers | None = None,
    ) -> None:
        self.at, self.code, self.values, self.default = at, code, values, default
        self.numbers, self.rows, self.also = numbers, rows, also

    def value_at(self, points: Integers, span: int) -> tuple[Integers, Flags]:
        """The place of the step that stands at each point, and whether there is one."""
        place = self.at.searchsorted(points, "right") - 1
        if not len(self.at):
            return np.zeros(len(points), np.int64), np.zeros(len(points), bool)
        known = (place >= 0) & (self.at[np.maximum(place, 0)] // span == points // span)
        return np.where(known, place, 0), known

    def codes_at(self, points: Integers, span: int) -> Integers:
        """The code at each point; one past the last for the default."""
        place, known = self.value_at(points, span)
        if not len(self.at):
            return np.full(len(points), len(self.values), np.int64)
        return np.where(known, self.code[place], len(self.values))


def latest(at: Integers) -> Integers:
    """Places of the last of each point, of sorted points that may repeat."""
    return np.flatnonzero(np.append(at[1:] != at[:-1], True)) if len(at) else NOTHING


class Codes:
    """Gives equal JSON values of the same type one code: 1, 1.0 and true differ."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._texts: dict[str, int] = {}
        self._others: dict[tuple[type, Any], int] = {}

    def code(self, value: Any) -> int:
        """The value's code, a new one if it is new."""
        kind = type(value)
        if kind is str:
            found = self._texts.get(value)
            if found is None:
                found = self._texts[value] = self._add(value)
            return found
        key = (kind, value if kind is int else _exact(value))
        found = self._others.get(key)
        if found is None:
            found = self._others[key] = self._add(value)
        return found

    def _add(self, value: Any) -> int:
        self.values.append(value)
        return len(self.values) - 1

    def of(self, values: Iterable[Any]) -> Integers:
        """The codes of several values."""
        code = self.code
        return np.array([code(value) for value in values], np.int64)


def _exact(value: Any) -> Any:
    if type(value) is float:
        return repr(value)
    if type(value) is tuple:
        return repr(value)
    return orjson.dumps(value) if isinstance(value, list | dict) else value


def flags_of(values: Sequence[Any], test: Callable[[Any], bool]) -> Flags:
    """The test's answer for each value."""
    return np.fromiter((test(value) for value in values), bool, len(values))
