"""Rules in plain English: what a value is, and what is asked of it."""

from __future__ import annotations

from typing import Any

import orjson

from schemas.instants import instant_text
from schemas.text import plain
from transforms.segments.language import ast
from transforms.segments.language.format import format_scalar, stream_name
from transforms.segments.language.literals import format_duration
from transforms.segments.reducers import REDUCERS

_LONGEST = 200

_WISHES = {
    "equals": "{0}",
    "differs": "not {0}",
    "greater_than": "more than {0}",
    "at_least": "at least {0}",
    "less_than": "less than {0}",
    "at_most": "at most {0}",
    "absent": "missing",
    "exists": "there",
    "contains": "text with {any} in it",
    "omits": "text without {0} in it",
    "starts_with": "text that starts with {0}",
    "ends_with": "text that ends with {0}",
    "one_of": "one of {all}",
    "none_of": "none of {all}",
    "before_date": "before {0}",
    "after_date": "after {0}",
    "within_last": "in the last {0}",
    "within_next": "in the next {0}",
    "before_last": "{0} ago or longer",
    "after_next": "more than {0} ahead",
}


def instant_words(instant: int | None) -> str:
    """`2026-06-30 12:00:00 UTC`, with the fraction of a second where there is one; "never" for None."""
    if instant is None:
        return "never"
    day, _, clock = instant_text(instant).removesuffix("Z").partition("T")
    return f"{day} {clock.rstrip('0').rstrip('.') if '.' in clock else clock} UTC"


def span_words(microseconds: int | float) -> str:
    """A length of time in its largest unit, to one digit after the point: `2.5 days`."""
    for unit, length in (("day", 86_400e6), ("hour", 3_600e6), ("minute", 60e6)):
        if microseconds >= length:
            return f"{microseconds / length:.1f} {unit}s"
    return f"{microseconds / 1e6:.1f} seconds"


def value_words(value: Any) -> str:
    """A value as JSON, text in single quotes; "missing" for None."""
    if value is None:
        return "missing"
    if isinstance(value, str):
        return f"'{plain(value, _LONGEST)}'"
    if isinstance(value, float):
        return f"{value:.10g}"
    return plain(orjson.dumps(value).decode(), _LONGEST)


def subject_words(scalar: ast.Scalar) -> str:
    """What a scalar is: `number of 'Order Completed' in the last 30 days`."""
    if isinstance(scalar, ast.Reduced):
        operand = f"'{scalar.field.path}'" if scalar.field is not None else ""
        words = REDUCERS[scalar.reducer].words
        return words.format(stream=stream_words(scalar.stream), operand=operand, gap=format_duration(scalar.gap))
    if isinstance(scalar, ast.Trait):
        return f"trait '{scalar.path}'"
    if isinstance(scalar, ast.Column):
        return f"column '{scalar.name}'"
    if isinstance(scalar, ast.ComputedTrait):
        return f"computed trait '{scalar.name}'"
    if isinstance(scalar, ast.Membership):
        return f"membership of '{scalar.name}'"
    if isinstance(scalar, ast.Percent):
        return f"number of the profile, 0 to 99, in '{scalar.salt}'"
    if isinstance(scalar, ast.Field):
        return f"the outer event's '{scalar.path}'" if scalar.parent else f"'{scalar.path}'"
    if isinstance(scalar, ast.Duration):
        return format_duration(scalar.microseconds)
    return format_scalar(scalar)


def stream_words(stream: ast.Stream) -> str:
    """`'Product Viewed' in the last 7 days where ...`."""
    windows = [_filter_words(part) for part in stream.filters if not isinstance(part, ast.Where)]
    conditions = [_filter_words(part) for part in stream.filters if isinstance(part, ast.Where)]
    return " ".join([stream_name(stream), *windows, *conditions])


def _filter_words(part: ast.Where | ast.Window | ast.ParentWindow) -> str:
    if isinstance(part, ast.Where):
        return f"where {condition_words(part.condition)}"
    end = format_duration(part.end)
    if isinstance(part, ast.ParentWindow):
        return f"{format_duration(part.start)} to {end} after it" if part.start else f"within {end} after it"
    return f"{format_duration(part.start)} to {end} ago" if part.start else f"in the last {end}"


def condition_words(condition: ast.Condition) -> str:
    """A condition: `'rating' is at most 2`."""
    if isinstance(condition, ast.And | ast.Or):
        word = " and " if isinstance(condition, ast.And) else " or "
        return "(" + word.join(map(condition_words, condition.items)) + ")"
    if isinstance(condition, ast.Not):
        return f"not ({condition_words(condition.item)})"
    if isinstance(condition, ast.Quantified):
        return f"for {'every user' if condition.every else 'any user'}: ({condition_words(condition.item)})"
    comparison = condition.comparison if isinstance(condition, ast.HeldFor) else condition
    return f"{subject_words(comparison.left)} is {wish_words(condition)}"


def wish_words(condition: ast.Compare | ast.HeldFor, *, wanted: bool = True) -> str:
    """What a comparison asks for: `at least 2`; after NOT: `not at least 2`."""
    if isinstance(condition, ast.HeldFor):
        text = f"{wish_words(condition.comparison)} for {format_duration(condition.duration)}"
    else:
        arguments = [subject_words(argument) for argument in condition.arguments]
        text = _WISHES[condition.operator].format(*arguments, any=" or ".join(arguments), all=", ".join(arguments))
    return text if wanted else f"not {text}"
