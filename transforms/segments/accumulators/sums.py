"""sum and avg: decimal numbers as they are written, added without rounding and rounded once.

A number is digits and a scale, `digits / 10**scale`: 6.89 is (689, 2). The total is kept at the greatest scale seen, as
one whole number, so that what is added and taken out again leaves no trace, whatever the order and the sizes.
A float is the shortest decimal that reads back as it: that is how JSON writes it.
"""

from __future__ import annotations

from decimal import MAX_PREC, Context, Decimal
from functools import lru_cache
from typing import Any

from transforms.segments.accumulators.accumulator import Accumulator, Active, Entry

MOST_DIGITS = 1000
"""Text may say numbers of any size. One with more digits before the point than this is only known to be beyond every
float; digits that far behind the point are dropped."""

Number = int | float | str
"""What an entry contributes; str where the text says more than a float would."""

_VALUES, _FRACTIONS, _TOTAL, _SCALE, _BEYOND = range(5)
_MOST_CENTS = 10**15
_SMALLEST_INTEGER, _INTEGERS_END = -(1 << 63), 1 << 64
_EXACT = Context(prec=MAX_PREC)


class Sum(Accumulator):
    """The sums: [values, those that are no whole numbers, total, scale of the total, values beyond every size]."""

    def empty(self) -> Any:
        return [0, 0, 0, 0, 0]

    def count_in(self, sums: Any, entry: Entry) -> None:
        for value in entry[2]:
            _add(sums, value, 1)

    def count_out(self, sums: Any, entry: Entry) -> None:
        for value in entry[2]:
            _add(sums, value, -1)

    def value(self, active: Active, sums: Any) -> Any:
        values, fractions, total, scale, beyond = sums
        if beyond or (self.reducer == "avg" and not values):
            return None
        if self.reducer == "avg":
            return _divided(total, values * 10**scale)
        # Fractions that were taken out again leave their scale behind: what is left are whole numbers, so scaled.
        if not fractions and _SMALLEST_INTEGER <= (whole := total // 10**scale) < _INTEGERS_END:
            return whole
        return _divided(total, 10**scale)


def _add(sums: Any, value: Number, sign: int) -> None:
    sums[_VALUES] += sign
    if type(value) is int:
        digits, scale = value, 0
    else:
        sums[_FRACTIONS] += sign
        parts = number_parts(value)
        if parts is None:
            sums[_BEYOND] += sign
            return
        digits, scale = parts
    if scale > sums[_SCALE]:
        sums[_TOTAL] *= 10 ** (scale - sums[_SCALE])
        sums[_SCALE] = scale
    elif scale < sums[_SCALE]:
        digits *= 10 ** (sums[_SCALE] - scale)
    sums[_TOTAL] += sign * digits


def number_parts(value: Number) -> tuple[int, int] | None:
    """(digits, scale) of a number; None of one beyond every size."""
    if type(value) is int:
        return value, 0
    return _parts(value) if type(value) is str else _float_parts(value)  # type: ignore[arg-type]


def _divided(total: int, divisor: int) -> float | None:
    """Rounded once, to the nearest float; None where that is infinite."""
    try:
        return total / divisor
    except OverflowError:
        return None


def _float_parts(value: float) -> tuple[int, int] | None:
    # Of 15 digits a float knows every decimal apart, so money needs no text: a third of the time.
    if -_MOST_CENTS < value < _MOST_CENTS:
        cents = round(value * 100)
        if cents / 100 == value and -_MOST_CENTS < cents < _MOST_CENTS:
            return cents, 2
    return _parts(repr(value))


@lru_cache(maxsize=4096)
def _parts(text: str) -> tuple[int, int] | None:
    """(digits, scale) of a number; None of one beyond every size."""
    number = Decimal(text)
    if not number.is_finite() or number.adjusted() >= MOST_DIGITS:
        return None
    if number.adjusted() < -MOST_DIGITS:
        return 0, 0
    exponent = number.as_tuple().exponent
    scale = min(max(-int(exponent), 0), MOST_DIGITS)
    return int(number.scaleb(scale, _EXACT)), scale
