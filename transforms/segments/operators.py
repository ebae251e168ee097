"""The comparators of the rule language: one table row each.

A comparator sees one left value and its arguments and answers true or false; null on either side is false, save
`absent`.
Paths with `$` hold several values: `any_pair` lifts a comparator to them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transforms.segments.values import as_number, json_key, json_text

Test = Callable[[Any, Any], bool]


def equals(left: Any, right: Any) -> bool:
    """JSON equality of two values of the data."""
    if type(left) is str and type(right) is str:
        return left == right
    return left is not None and right is not None and json_key(left) == json_key(right)


def equals_literal(left: Any, literal: Any) -> bool:
    """JSON equality with a literal; a string literal also equals a number or boolean with that JSON text."""
    if type(literal) is str:
        kind = type(left)
        if kind is str:
            return bool(left == literal)
        return (kind is int or kind is float or kind is bool) and json_text(left) == literal
    return equals(left, literal)


def _ordered(test: Callable[[Any, Any], bool]) -> Test:
    def compare(left: Any, right: Any) -> bool:
        first, second = as_number(left), as_number(right)
        return first is not None and second is not None and test(first, second)

    return compare


def _text(test: Callable[[str, str], bool]) -> Test:
    """A comparison of text; a list holds where any of its elements does."""

    def compare(left: Any, right: Any) -> bool:
        if type(left) is str:
            return type(right) is str and test(left, right)
        return isinstance(left, list) and any(compare(item, right) for item in left)

    return compare


contains = _text(lambda left, right: right in left)


ORDERINGS: dict[str, Test] = {
    "greater_than": _ordered(lambda left, right: left > right),
    "at_least": _ordered(lambda left, right: left >= right),
    "less_than": _ordered(lambda left, right: left < right),
    "at_most": _ordered(lambda left, right: left <= right),
}

# operator -> (test, whether it holds where no argument passes the test instead of where any does)
TEXTS: dict[str, tuple[Test, bool]] = {
    "contains": (contains, False),
    "omits": (contains, True),
    "starts_with": (_text(lambda left, right: left.startswith(right)), False),
    "ends_with": (_text(lambda left, right: left.endswith(right)), False),
}

EQUALITIES: dict[str, bool] = {"equals": False, "one_of": False, "differs": True, "none_of": True}

# Relative to T: operator -> the half-open range [start, end) of T in which it holds for a value v and a duration d.
# None is open.
RELATIVE_DATES: dict[str, Callable[[int, int], tuple[int | None, int | None]]] = {
    "within_last": lambda v, d: (v, v + d),
    "within_next": lambda v, d: (v - d, v),
    "before_last": lambda v, d: (v + d, None),
    "after_next": lambda v, d: (None, v - d),
}
FIXED_DATES: dict[str, Callable[[int, int], bool]] = {
    "before_date": lambda left, right: left < right,
    "after_date": lambda left, right: left > right,
}

# What a comparator says when it is denied; only those that bound a count need a counterpart.
LOWER_BOUNDS = frozenset({"greater_than", "at_least"})
UPPER_BOUNDS = frozenset({"less_than", "at_most"})
