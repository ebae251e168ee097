"""Reducers: how a stream's events become one value. Each has one row in `REDUCERS`, and nothing elsewhere.

The parser, the checker, what a rule costs, the evaluator and the preview's words read that table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from transforms.segments.accumulators.accumulator import Accumulator, Entry
from transforms.segments.accumulators.deciding import Extreme, First, Last
from transforms.segments.accumulators.distinct import Distinct, Unique
from transforms.segments.accumulators.sessions import Sessions
from transforms.segments.accumulators.sums import Sum
from transforms.segments.language import ast
from transforms.segments.language.kinds import Function, Type
from transforms.segments.values import as_decimal, as_number, is_many, json_text

Reduce = Callable[[Sequence[Entry]], Any]
Convert = Callable[[Any], Any]
"""What a reducer makes of one value of its property; None: it cannot use it."""


def _unchanged(value: Any) -> Any:
    return value


def _decimals(_: str | None) -> Convert:
    return as_decimal


def _number_or_text(cast: str | None) -> Convert:
    return json_text if cast == "string" else as_number


def _text_or_cast(cast: str | None) -> Convert:
    if cast == "array":
        return lambda value: value if isinstance(value, list) else None
    return as_number if cast == "number" else json_text


@dataclass(frozen=True, slots=True)
class Reducer(Function):
    """One reducer.

    Attributes:
        running: how the value is kept up to date; it also is what the value means.
        words: what the preview calls the value.
        gives: what is known of the value; with a cast, the cast says it.
        empty: the value of no event.
        argument: what is written in the brackets.
        casts: the types that may follow `as`.
        takes_frequency: a least frequency may follow the property.
        converts: from the cast to how a value is read.
        is_count: what it says is how many: "no more than" is owed to no event.
        keeps_values: without a window it keeps every different value, in place of one running value.
        follows: for `.count()` after another reducer, that one's name.
        windowed: the accumulator inside a window, where it differs.
    """

    running: type[Accumulator]
    words: str
    gives: Type = Type.UNKNOWN
    empty: Any = None
    argument: Literal["nothing", "property", "gap"] = "property"
    casts: tuple[Literal["number", "string", "array"], ...] = ()
    takes_frequency: bool = False
    converts: Callable[[str | None], Convert] = lambda _: _unchanged
    is_count: bool = False
    keeps_values: bool = False
    follows: str = ""
    windowed: type[Accumulator] | None = None


_NUMBER, _TEXT, _INSTANT = Type.NUMBER, Type.TEXT, Type.INSTANT
_ROWS = (
    Reducer(
        *("count", "count()"),
        running=Accumulator,
        words="number of {stream}",
        gives=_NUMBER,
        empty=0,
        argument="nothing",
        is_count=True,
    ),
    Reducer(
        *("sum", "sum(property('path'))"),
        running=Sum,
        words="sum of {operand} over {stream}",
        gives=_NUMBER,
        empty=0,
        converts=_decimals,
    ),
    Reducer(
        *("avg", "avg(property('path'))"),
        running=Sum,
        words="mean of {operand} over {stream}",
        gives=_NUMBER,
        converts=_decimals,
    ),
    Reducer(
        *("max", "max(property('path')) or max(property('path') as string)"),
        running=Extreme,
        words="greatest {operand} of {stream}",
        gives=_NUMBER,
        casts=("number", "string"),
        converts=_number_or_text,
    ),
    Reducer(
        *("min", "min(property('path')) or min(property('path') as string)"),
        running=Extreme,
        words="least {operand} of {stream}",
        gives=_NUMBER,
        casts=("number", "string"),
        converts=_number_or_text,
    ),
    Reducer(
        *("mode", "mode(property('path')) or mode(property('path'), 2)"),
        running=Distinct,
        words="most frequent {operand} of {stream}",
        gives=_TEXT,
        casts=("number", "string", "array"),
        takes_frequency=True,
        converts=_text_or_cast,
        keeps_values=True,
    ),
    Reducer(*("first", "first(property('path'))"), running=First, words="first {operand} of {stream}"),
    Reducer(*("last", "last(property('path'))"), running=Last, words="latest {operand} of {stream}"),
    Reducer(
        *("unique", "unique(property('path'))"),
        running=Distinct,
        windowed=Unique,
        words="different values of {operand} in {stream}",
        gives=Type.LIST,
        empty=[],
        keeps_values=True,
    ),
    Reducer(
        *("unique_count", "unique(property('path')).count()"),
        running=Distinct,
        words="number of different values of {operand} in {stream}",
        gives=_NUMBER,
        empty=0,
        is_count=True,
        keeps_values=True,
        follows="unique",
    ),
    Reducer(
        *("first_at", "first_at()"),
        running=First,
        words="time of the first of {stream}",
        gives=_INSTANT,
        argument="nothing",
    ),
    Reducer(
        *("last_at", "last_at()"),
        running=Last,
        words="time of the last of {stream}",
        gives=_INSTANT,
        argument="nothing",
    ),
    Reducer(
        *("sessions", "sessions(30 minutes)"),
        running=Sessions,
        words="number of sessions, {gap} apart, of {stream}",
        gives=_NUMBER,
        empty=0,
        argument="gap",
        is_count=True,
    ),
    Reducer(
        *("time_spent", "time_spent(30 minutes)"),
        running=Sessions,
        words="seconds spent in sessions, {gap} apart, of {stream}",
        gives=_NUMBER,
        empty=0,
        argument="gap",
    ),
)
REDUCERS: dict[str, Reducer] = {row.name: row for row in _ROWS}


def default_value(reducer: str) -> Any:
    """What a reducer makes of nothing."""
    empty = REDUCERS[reducer].empty
    return empty.copy() if isinstance(empty, list) else empty


def is_instant(reducer: str) -> bool:
    """Whether the value is an instant, in microseconds."""
    return REDUCERS[reducer].gives is Type.INSTANT


def operand_reader(reduced: ast.Reduced, field: ast.Field) -> Callable[[Any], tuple[Any, ...] | None]:
    """A function from the value of the reducer's property to an entry's `values`; None: it contributes nothing."""
    convert = REDUCERS[reduced.reducer].converts(reduced.cast)
    if not is_many(field.path):

        def read(value: Any) -> tuple[Any, ...] | None:
            converted = None if value is None else convert(value)
            return None if converted is None else (converted,)

        return read

    def read_each(value: Any) -> tuple[Any, ...] | None:
        return tuple(v for v in map(convert, value or ()) if v is not None) or None

    return read_each


def accumulator(reduced: ast.Reduced, *, endless: bool) -> Accumulator:
    """The accumulator of a reducer; `endless` where its window has no end."""
    row = REDUCERS[reduced.reducer]
    kind = row.running if endless or row.windowed is None else row.windowed
    return kind(reduced, endless=endless)


def compile_reducer(reduced: ast.Reduced) -> Reduce:
    """`f(entries) -> value`: the running value, brought up to date from nothing."""
    return accumulator(reduced, endless=True).reduce
