"""What a rule means at an instant: contract section 6, construct by construct, over all events of the profile."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tests.reference import values
from tests.reference.history import Happening, History
from tests.reference.values import DateLiteral, LiteralText, Moment, as_instant, as_number, equal, singles
from transforms.segments.language import ast


@dataclass(frozen=True)
class Scope:
    """The event at hand and the one whose `where` encloses its stream."""

    event: Happening | None = None
    parent: Happening | None = None


TOP = Scope()


def value(scalar: ast.Scalar, at: int, history: History, scope: Scope = TOP) -> Any:
    """The value of a scalar at an instant: JSON, a Moment, a literal, or Each for a path with `$`."""
    match scalar:
        case ast.Literal():
            return LiteralText(scalar.value) if isinstance(scalar.value, str) else scalar.value
        case ast.Duration():
            return scalar.microseconds
        case ast.Instant():
            return DateLiteral(scalar.microseconds, scalar.text)
        case ast.Trait():
            return history.trait(scalar.path, at)
        case ast.ComputedTrait():
            return value(history.computed_trait(scalar.name).value, at, history)
        case ast.Membership():
            return history.membership(scalar.name, at) is not None
        case ast.Column():
            return history.column(scalar.name, at)
        case ast.Field():
            return field_value(scalar, scope)
        case ast.Percent():
            digest = hashlib.sha256(f"{scalar.salt}:{history.profile_id}".encode()).digest()
            return int.from_bytes(digest[:8], "big") % 100
        case ast.Reduced():
            return reduced(scalar, at, history, scope)


def field_value(field: ast.Field, scope: Scope) -> Any:
    """What a property or context path names in the event at hand, or in the enclosing one."""
    event = scope.parent if field.parent else scope.event
    if event is None:
        return None
    return values.at_path(event.properties if field.source == "properties" else event.context, field.path)


# --- streams ---------------------------------------------------------------------------------------------------------


def counted(stream: ast.Stream, at: int, history: History, scope: Scope) -> list[Happening]:
    """The events of a stream that count at an instant, in order."""
    return [event for event in history.until(at) if is_of(event, stream) and passes(event, stream, at, history, scope)]


def is_of(event: Happening, stream: ast.Stream) -> bool:
    """Whether an event is of the type and name that a stream starts with."""
    kinds = {"activity": ("track", "page", "screen")}.get(stream.type, (stream.type,))
    return event.type in kinds and (stream.name is None or event.name == stream.name)


def passes(event: Happening, stream: ast.Stream, at: int, history: History, scope: Scope) -> bool:
    """Whether an event passes every filter of a stream; `scope.event` is the event whose where holds the stream."""
    for item in stream.filters:
        match item:
            case ast.Window():
                passed = at - item.end < event.timestamp <= at - item.start
            case ast.ParentWindow():
                passed = scope.event is not None and in_parent_window(event, scope.event, item)
            case ast.Where():
                passed = holds(item.condition, at, history, Scope(event, scope.event))
        if not passed:
            return False
    return True


def in_parent_window(event: Happening, parent: Happening, window: ast.ParentWindow) -> bool:
    """Whether an event is so long after its parent."""
    if window.excludes_parent and event.message_id == parent.message_id:
        return False
    return parent.timestamp + window.start <= event.timestamp < parent.timestamp + window.end


# --- reducers --------------------------------------------------------------------------------------------------------


def operands(scalar: ast.Reduced, events: list[Happening], scope: Scope) -> list[tuple[Happening, Any]]:
    """Each non-null value that a reducer looks at, with its event, in order."""
    assert isinstance(scalar.operand, ast.Field)
    return [
        (event, single)
        for event in events
        for single in singles(field_value(scalar.operand, Scope(event, scope.event)))
    ]


def reduced(scalar: ast.Reduced, at: int, history: History, scope: Scope) -> Any:
    """The value of a stream brought down to one."""
    events = counted(scalar.stream, at, history, scope)
    if scalar.reducer == "count":
        return len(events)
    if scalar.reducer in ("first_at", "last_at"):
        decided = deciding(scalar, events, scope)
        return Moment(decided.timestamp) if decided else None
    if isinstance(scalar.operand, ast.Duration):
        visits = sessions([event.timestamp for event in events], scalar.operand.microseconds)
        spent = sum(visit[-1] - visit[0] for visit in visits)
        return len(visits) if scalar.reducer == "sessions" else values.rounded(Fraction(spent, 1_000_000))
    found = [single for _, single in operands(scalar, events, scope)]
    return REDUCERS[scalar.reducer](scalar, found)


def sessions(times: list[int], gap: int) -> list[list[int]]:
    """Event times in order, parted where one comes the gap or more after the one before it."""
    visits: list[list[int]] = []
    for time in times:
        if visits and time - visits[-1][-1] < gap:
            visits[-1].append(time)
        else:
            visits.append([time])
    return visits


def _sum(_: ast.Reduced, found: list[Any]) -> Any:
    return values.rounded(values.exact_sum(found))


def _avg(_: ast.Reduced, found: list[Any]) -> Any:
    numbers = [number for number in map(values.as_written, found) if number is not None]
    return values.rounded(values.exact_sum(found) / len(numbers)) if numbers else None


def _extreme(scalar: ast.Reduced, found: list[Any]) -> Any:
    cast = [number for number in (cast_value(scalar, single) for single in found) if number is not None]
    if not cast:
        return None
    return max(cast) if scalar.reducer == "max" else min(cast)


def _first(_: ast.Reduced, found: list[Any]) -> Any:
    return found[0] if found else None


def _last(_: ast.Reduced, found: list[Any]) -> Any:
    return found[-1] if found else None


def _unique(_: ast.Reduced, found: list[Any]) -> list[Any]:
    distinct: list[Any] = []
    for single in found:
        if not any(values.same(single, other) for other in distinct):
            distinct.append(single)
    return distinct


def _unique_count(scalar: ast.Reduced, found: list[Any]) -> int:
    return len(_unique(scalar, found))


def _mode(scalar: ast.Reduced, found: list[Any]) -> Any:
    cast = [single for single in (cast_value(scalar, single) for single in found) if single is not None]
    best, best_frequency = None, (scalar.min_frequency or 1) - 1
    for single in reversed(cast):  # from the most recent on: a tie goes to the one met first
        frequency = sum(values.same(single, other) for other in cast)
        if frequency > best_frequency:
            best, best_frequency = single, frequency
    return best


REDUCERS: dict[str, Callable[[ast.Reduced, list[Any]], Any]] = {
    "sum": _sum,
    "avg": _avg,
    "max": _extreme,
    "min": _extreme,
    "first": _first,
    "last": _last,
    "unique": _unique,
    "unique_count": _unique_count,
    "mode": _mode,
}


def cast_value(scalar: ast.Reduced, single: Any) -> Any:
    """A value as max, min and mode see it: null where it cannot be cast."""
    cast = scalar.cast or ("string" if scalar.reducer == "mode" else "number")
    if cast == "number":
        return as_number(single)
    if cast == "array":
        return single if isinstance(single, list) else None
    return values.as_text(single)


def deciding(scalar: ast.Reduced, events: list[Happening], scope: Scope) -> Happening | None:
    """The one event that decides first, last, first_at, last_at, min and max (of equals: the earliest)."""
    if scalar.reducer in ("first_at", "last_at"):
        candidates = events
    else:
        found = operands(scalar, events, scope)
        if scalar.reducer in ("max", "min"):
            extreme = _extreme(scalar, [single for _, single in found])
            is_extreme = [cast_value(scalar, single) == extreme for _, single in found]
            found = [] if extreme is None else list(itertools.compress(found, is_extreme))[:1]
        candidates = [event for event, _ in found]
    if not candidates:
        return None
    return candidates[0] if scalar.reducer.startswith("first") else candidates[-1]


# --- conditions ------------------------------------------------------------------------------------------------------


def holds(condition: ast.Condition, at: int, history: History, scope: Scope = TOP) -> bool:
    """Whether a condition is true at an instant."""
    match condition:
        case ast.And():
            return all(holds(item, at, history, scope) for item in condition.items)
        case ast.Or():
            return any(holds(item, at, history, scope) for item in condition.items)
        case ast.Not():
            return not holds(condition.item, at, history, scope)
        case ast.HeldFor():
            return held(condition, at, history, scope)
        case ast.Compare():
            return compares(condition, at, history, scope)
        case ast.Quantified():
            answers = [holds(condition.item, at, user) for user in history.users_at(at)]
            return bool(answers) and (all(answers) if condition.every else any(answers))


def held(condition: ast.HeldFor, at: int, history: History, scope: Scope) -> bool:
    """Whether a comparison has been true at every instant of [at - d, at], all of them in the profile's life."""
    since = at - condition.duration
    if since < history.begins:
        return False
    return all(compares(condition.comparison, then, history, scope) for then in history.instants_between(since, at))


def compares(condition: ast.Compare, at: int, history: History, scope: Scope) -> bool:
    """Whether a comparison is true: for any of the left side's values, false for null."""
    left = value(condition.left, at, history, scope)
    if condition.operator == "absent":
        return not singles(left)
    if condition.operator == "exists":
        return bool(singles(left))
    if condition.operator in RELATIVE:
        duration = value(condition.arguments[0], at, history, scope)
        instants = [as_instant(single) for single in singles(left)]
        return any(RELATIVE[condition.operator](instant, at, duration) for instant in instants if instant is not None)
    arguments = [value(argument, at, history, scope) for argument in condition.arguments]
    if condition.operator in ALL_DIFFER:
        return any(
            all(
                any(ALL_DIFFER[condition.operator](single, other) for other in singles(argument))
                for argument in arguments
            )
            for single in singles(left)
        )
    compare = ANY_MATCHES[condition.operator]
    return any(compare(single, other) for argument in arguments for single, other in values.pairs(left, argument))


RELATIVE: dict[str, Callable[[int, int, int], bool]] = {
    "within_last": lambda instant, at, duration: at - duration < instant <= at,
    "within_next": lambda instant, at, duration: at < instant <= at + duration,
    "before_last": lambda instant, at, duration: instant <= at - duration,
    "after_next": lambda instant, at, duration: instant > at + duration,
}


def _ordered(order: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    def compare(left: Any, right: Any) -> bool:
        one, other = as_number(left), as_number(right)
        return one is not None and other is not None and order(one, other)

    return compare


def _dated(order: Callable[[int, int], bool]) -> Callable[[Any, Any], bool]:
    def compare(left: Any, right: Any) -> bool:
        one, other = as_instant(left), as_instant(right)
        return one is not None and other is not None and order(one, other)

    return compare


def _on_text(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def compare(left: Any, right: Any) -> bool:
        if isinstance(left, list):
            return any(compare(element, right) for element in left)
        return isinstance(left, str) and isinstance(right, str) and test(left, right)

    return compare


_contains = _on_text(lambda text, part: part in text)

ANY_MATCHES: dict[str, Callable[[Any, Any], bool]] = {
    "equals": equal,
    "differs": lambda left, right: not equal(left, right),
    "greater_than": _ordered(lambda left, right: left > right),
    "at_least": _ordered(lambda left, right: left >= right),
    "less_than": _ordered(lambda left, right: left < right),
    "at_most": _ordered(lambda left, right: left <= right),
    "one_of": equal,
    "contains": _contains,
    "starts_with": _on_text(str.startswith),
    "ends_with": _on_text(str.endswith),
    "before_date": _dated(lambda left, right: left < right),
    "after_date": _dated(lambda left, right: left > right),
}

# True only if every argument differs; a null argument differs from nothing.
ALL_DIFFER: dict[str, Callable[[Any, Any], bool]] = {
    "none_of": lambda left, right: not equal(left, right),
    "omits": lambda left, right: not _contains(left, right),
}
