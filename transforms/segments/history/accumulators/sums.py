"""Exact sums of many profiles at once: decimal numbers as whole numbers of one scale, in running totals.

A window's sum is the difference of two running totals, which is exact even where a total wraps around 64 bits. Profiles
whose numbers do not fit take the accumulators' way (loops.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms.segments.accumulators.sums import Number, number_parts
from transforms.segments.history.histories import Flags, Integers
from transforms.segments.history.steps import Numbers

MOST_SCALE = 9
"""Digits behind the point that are added as whole numbers; 10**9 leaves nine digits before it, 10**19 wraps."""

EXACT_END = 1 << 53
MOST_TOTAL = float(1 << 62)


class Digits(NamedTuple):
    """What each contribution adds: `digits / 10**scale`, so many values, so many of them no whole numbers.

    `fits`: whether whole numbers of 64 bits can hold it; digits of others are 0.
    """

    digits: Integers
    values: Integers
    fractions: Integers
    fits: Flags
    scale: int


def digits_of(contributions: Sequence[tuple[Number, ...] | None]) -> Digits:
    """The digits of each contribution, all to the same scale."""
    parts = [_parts(values or ()) for values in contributions]
    scales = [scale for found in parts for _, scale in found or () if scale <= MOST_SCALE]
    scale = max(scales, default=0)
    digits, fits = [], []
    for found in parts:
        total = None
        if found is not None and all(own <= scale for _, own in found):
            total = sum(number * 10 ** (scale - own) for number, own in found)
        fits.append(total is not None and abs(total) < EXACT_END)
        digits.append(total if total is not None and fits[-1] else 0)
    return Digits(
        np.array(digits, np.int64),
        np.array([len(values or ()) for values in contributions], np.int64),
        np.array([sum(type(value) is not int for value in values or ()) for values in contributions], np.int64),
        np.array(fits, bool),
        scale,
    )


def _parts(values: Sequence[Number]) -> list[tuple[int, int]] | None:
    """(digits, scale) of each; None where one is beyond every size."""
    found = [number_parts(value) for value in values]
    return None if None in found else [one for one in found if one is not None]


def fitting_profiles(added: Digits, code: Integers, profile: Integers, profiles: int) -> Flags:
    """For each profile whether all its sums fit."""
    sizes = np.bincount(profile, weights=np.abs(added.digits[code]).astype(float), minlength=profiles)
    odd = np.bincount(profile, weights=~added.fits[code], minlength=profiles)
    fits: Flags = (odd == 0) & (sizes < MOST_TOTAL)
    return fits


class RunningTotals:
    """Totals of the first n contributions, for every n."""

    def __init__(self, added: Digits, code: Integers) -> None:
        self.scale = added.scale
        self._columns = [running_totals(column[code]) for column in (added.digits, added.values, added.fractions)]

    def between(self, first: Integers, last: Integers) -> tuple[Integers, Integers, Integers]:
        """(digits, values, fractions) of the contributions [first, last)."""
        digits, values, fractions = (column[last] - column[first] for column in self._columns)
        return digits, values, fractions


def running_totals(column: Integers) -> Integers:
    """The total of the first n, for every n."""
    return np.concatenate((np.zeros(1, np.int64), column.cumsum()))


def sums_of(
    reducer: str, digits: Integers, values: Integers, fractions: Integers, scale: int
) -> tuple[list[Any], Numbers | None]:
    """Each total (of so many values) as what sum or avg says of it; and as floats where those are exact."""
    return sums(digits, fractions, scale) if reducer == "sum" else means(digits, values, scale)


def sums(digits: Integers, fractions: Integers, scale: int) -> tuple[list[Any], Numbers | None]:
    """Each total as a JSON number, rounded once; and all of them as floats where those are exact."""
    divisor = 10**scale
    small = np.abs(digits) < EXACT_END
    rounded = digits.astype(float) / float(divisor)
    if small.all() and not scale:
        values: list[Any] = digits.tolist()
        if fractions.any():
            values = [float(value) if part else value for value, part in zip(values, fractions.tolist(), strict=True)]
        return values, rounded
    values = rounded.tolist()
    for place in np.flatnonzero((fractions == 0) | ~small).tolist():
        total = int(digits[place])
        values[place] = total // divisor if not fractions[place] else total / divisor
    return values, rounded if small.all() else None


def means(digits: Integers, values: Integers, scale: int) -> tuple[list[Any], Numbers | None]:
    """Each mean, rounded once; null of nothing."""
    divisor = np.maximum(values, 1) * 10**scale
    rounded = digits.astype(float) / divisor.astype(float)
    rounded[values == 0] = np.nan
    found: list[Any] = rounded.tolist()
    small = (np.abs(digits) < EXACT_END) & (divisor < EXACT_END)
    for place in np.flatnonzero(~small & (values > 0)).tolist():
        found[place] = int(digits[place]) / (int(values[place]) * 10**scale)
    for place in np.flatnonzero(values == 0).tolist():
        found[place] = None
    return found, rounded if small.all() else None
