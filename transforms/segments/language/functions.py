"""Every function of the language, one table row each, for the parser, the checker and the documentation's test.

The rows of the reducers, with all that they mean, are in `transforms/segments/reducers.py`; the meaning of comparators
is in `transforms/segments/operators.py`.
"""

from __future__ import annotations

from typing import Literal

from transforms.segments.language.kinds import Comparator, Extractor, Filter, Function, Modifier
from transforms.segments.reducers import REDUCERS

_ALL: tuple[Function, ...] = (
    Extractor("event", "event('NAME')", nameless=True),
    Extractor("page", "page('NAME')", nameless=True),
    Extractor("screen", "screen('NAME')", nameless=True),
    Extractor("activity", "activity()", nameless=True, named=False),
    Extractor("trait", "trait('NAME')"),
    Extractor("profile", "profile('COLUMN')"),
    Extractor("property", "property('path') or property(parent: 'path')"),
    Extractor("context", "context('path') or context(parent: 'path')"),
    Extractor("literal", "literal('text')"),
    Extractor("percent", "percent('salt')"),
    Filter("where", "where(property('path') = 'value')"),
    Filter("within", "within(7 days) or within(parent: 1 hour)"),
    Filter("between", "between(1 day, 7 days) or between(parent: 1 hour, 2 hours)"),
    *(row for row in REDUCERS.values() if not row.follows),
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
StreamType = Literal["track", "page", "screen", "activity"]
STREAM_TYPES: dict[str, StreamType] = {"event": "track", "page": "page", "screen": "screen", "activity": "activity"}

# Parts of Segment's language that stand on things Tidemark does not have.
NOT_SUPPORTED = {
    "entity": "entity() belongs to Segment's linked audiences; Tidemark has events and traits only",
    "sources": "sources() filters by Segment source ids, which events do not carry here",
}


def named(*kinds: type[Function]) -> tuple[str, ...]:
    """Names of the functions of these kinds, in table order."""
    return tuple(function.name for function in _ALL if isinstance(function, kinds))
