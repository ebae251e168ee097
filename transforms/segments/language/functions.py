"""Every function of the language, one table row each, for the parser, the checker and the documentation's test.

To add one: a row, its meaning in the evaluator, a row in docs/segments.md, a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Function:
    """A function as it is written. `usage` is shown in errors."""

    name: str
    usage: str


@dataclass(frozen=True, slots=True)
class Extractor(Function):
    """Starts an expression."""


@dataclass(frozen=True, slots=True)
class Filter(Function):
    """Keeps some events of a stream."""


@dataclass(frozen=True, slots=True)
class Reducer(Function):
    """Brings a stream down to one value. `casts` are the types that may follow `as`."""

    operand: bool = True
    casts: tuple[Literal["number", "string", "array"], ...] = ()
    takes_frequency: bool = False


@dataclass(frozen=True, slots=True)
class Comparator(Function):
    """Makes a value true or false. `symbol` is its short form. `many`: any number of arguments, else exactly one.

    `meaning` says what its sides must be: any values, numbers (or dates, or numeric text) for an ordering, text,
    two dates, a date and a duration, or nothing but the left side.
    """

    meaning: Literal["equality", "ordering", "text", "date", "relative_date", "presence"]
    symbol: str = ""
    many: bool = False


@dataclass(frozen=True, slots=True)
class Modifier(Function):
    """Follows a comparison."""


_ALL: tuple[Function, ...] = (
    Extractor("event", "event('NAME')"),
    Extractor("page", "page('NAME')"),
    Extractor("screen", "screen('NAME')"),
    Extractor("trait", "trait('NAME')"),
    Extractor("property", "property('path') or property(parent: 'path')"),
    Extractor("context", "context('path') or context(parent: 'path')"),
    Extractor("literal", "literal('text')"),
    Extractor("percent", "percent('salt')"),
    Filter("where", "where(property('path') = 'value')"),
    Filter("within", "within(7 days) or within(parent: 1 hour)"),
    Filter("between", "between(1 day, 7 days) or between(parent: 1 hour, 2 hours)"),
    Reducer("count", "count()", operand=False),
    Reducer("sum", "sum(property('path'))"),
    Reducer("avg", "avg(property('path'))"),
    Reducer("max", "max(property('path')) or max(property('path') as string)", casts=("number", "string")),
    Reducer("min", "min(property('path')) or min(property('path') as string)", casts=("number", "string")),
    Reducer(
        "mode",
        "mode(property('path')) or mode(property('path'), 2)",
        casts=("number", "string", "array"),
        takes_frequency=True,
    ),
    Reducer("first", "first(property('path'))"),
    Reducer("last", "last(property('path'))"),
    Reducer("unique", "unique(property('path'))"),
    Reducer("first_at", "first_at()", operand=False),
    Reducer("last_at", "last_at()", operand=False),
    Comparator("equals", "equals(5)", meaning="equality", symbol="="),
    Comparator("differs", "differs(5)", meaning="equality", symbol="!="),
    Comparator("greater_than", "greater_than(5)", meaning="ordering", symbol=">"),
    Comparator("at_least", "at_least(5)", meaning="ordering", symbol=">="),
    Comparator("less_than", "less_than(5)", meaning="ordering", symbol="<"),
    Comparator("at_most", "at_most(5)", meaning="ordering", symbol="<="),
    Comparator("absent", "absent()", meaning="presence"),
    Comparator("exists", "exists()", meaning="presence"),
    Comparator("contains", "contains('shoe', 'boot')", meaning="text", many=True),
    Comparator("omits", "omits('shoe')", meaning="text"),
    Comparator("starts_with", "starts_with('shoe')", meaning="text"),
    Comparator("ends_with", "ends_with('shoe')", meaning="text"),
    Comparator("one_of", "one_of('S', 'M')", meaning="equality", many=True),
    Comparator("none_of", "none_of('S', 'M')", meaning="equality", many=True),
    Comparator("before_date", "before_date(2027-01-31)", meaning="date"),
    Comparator("after_date", "after_date(2027-01-31)", meaning="date"),
    Comparator("within_last", "within_last(7 days)", meaning="relative_date"),
    Comparator("within_next", "within_next(7 days)", meaning="relative_date"),
    Comparator("before_last", "before_last(7 days)", meaning="relative_date"),
    Comparator("after_next", "after_next(7 days)", meaning="relative_date"),
    Modifier("held_for", "held_for(7 days)"),
)

FUNCTIONS: dict[str, Function] = {function.name: function for function in _ALL}
COMPARATORS: dict[str, Comparator] = {f.name: f for f in _ALL if isinstance(f, Comparator)}
SYMBOLS: dict[str, str] = {f.symbol: f.name for f in COMPARATORS.values() if f.symbol} | {"==": "equals"}
STREAM_TYPES: dict[str, Literal["track", "page", "screen"]] = {"event": "track", "page": "page", "screen": "screen"}

# Parts of Segment's language that stand on things Tidemark does not have.
NOT_SUPPORTED = {
    "entity": "entity() belongs to Segment's linked audiences; Tidemark has events and traits only",
    "sources": "sources() filters by Segment source ids, which events do not carry here",
}


def named(*kinds: type[Function]) -> tuple[str, ...]:
    """Names of the functions of these kinds, in table order."""
    return tuple(function.name for function in _ALL if isinstance(function, kinds))
