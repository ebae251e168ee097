"""Why a rule is true: the events that made it so, and the events that it mentions (docs/architecture.md, Decisions)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from tests.reference.columns import concerns_column
from tests.reference.history import Happening, History
from tests.reference.rules import TOP, Scope, cast_value, counted, deciding, holds, is_of, operands, value
from tests.reference.values import as_written, same, singles
from transforms.segments.language import ast

MOST = 10
DECIDED_BY_ONE = ("first", "last", "first_at", "last_at", "min", "max")
COUNTS = ("count", "unique_count", "sessions")

# The operator that is true where the other, on the same non-null sides, is false.
OPPOSITE = {
    "equals": "differs",
    "greater_than": "at_most",
    "at_least": "less_than",
    "one_of": "none_of",
    "absent": "exists",
}
OPPOSITE |= {opposite: operator for operator, opposite in OPPOSITE.items()}


def message_ids(condition: ast.Condition, at: int, history: History) -> list[str]:
    """The contributing events of a rule that is true at an instant, the earliest 10."""
    return earliest(witness(condition, at, history, TOP, wanted=True), history)


def earliest(happenings: set[str], history: History) -> list[str]:
    """Message ids in (timestamp, message_id) order, at most 10."""
    return [happening.message_id for happening in history.everything if happening.message_id in happenings][:MOST]


def witness(condition: ast.Condition, at: int, history: History, scope: Scope, *, wanted: bool) -> set[str]:
    """The events that make a condition true (`wanted`), or make it false."""
    match condition:
        case ast.Not():
            return witness(condition.item, at, history, scope, wanted=not wanted)
        case ast.And() | ast.Or():
            # "a and b" is false as "not a or not b" is true: only the parts that are false tell why.
            every = isinstance(condition, ast.And) == wanted
            parts = [item for item in condition.items if every or holds(item, at, history, scope) == wanted]
            return set().union(*(witness(item, at, history, scope, wanted=wanted) for item in parts))
        case ast.HeldFor():
            return of_comparison(condition.comparison, at, history, scope, wanted=wanted)
        case ast.Compare():
            return of_comparison(condition, at, history, scope, wanted=wanted)
        case ast.Quantified():
            return of_users(condition, at, history, wanted=wanted)


def of_users(condition: ast.Quantified, at: int, history: History, *, wanted: bool) -> set[str]:
    """As for a segment of theirs: what made the rule hold (or not) when it last began to, for each that decides."""
    found: set[str] = set()
    for user in history.users_at(at):
        answer = holds(condition.item, at, user)
        if condition.every is wanted or answer is wanted:
            since = user.membership(hidden_segment(condition.item, answer), at)
            assert since is not None
            found |= set(since.message_ids)
    return found


def hidden_segment(rule: ast.Condition, answer: bool) -> str:
    """The name of the segment of the people for whom a rule holds, or does not."""
    return f"{answer} {rule!r}"


def of_comparison(condition: ast.Compare, at: int, history: History, scope: Scope, *, wanted: bool) -> set[str]:
    """The events that the sides of a comparison read."""
    found = set().union(*(of_scalar(argument, at, history, scope) for argument in condition.arguments))
    if bounds_count_from_above(condition, at, history, scope, wanted=wanted):
        return found
    return found | of_scalar(condition.left, at, history, scope)


def bounds_count_from_above(condition: ast.Compare, at: int, history: History, scope: Scope, *, wanted: bool) -> bool:
    """Whether a comparison says of a count no more than that it is small: no event can be a reason for that."""
    left: ast.Scalar = condition.left
    while isinstance(left, ast.ComputedTrait):
        left = history.computed_trait(left.name).value
    if not isinstance(left, ast.Reduced) or left.reducer not in COUNTS:
        return False
    operator = condition.operator if wanted else OPPOSITE.get(condition.operator, "")
    if operator in ("less_than", "at_most"):
        return True
    arguments = [single for item in condition.arguments for single in singles(value(item, at, history, scope))]
    return operator in ("equals", "one_of") and bool(arguments) and all(same(argument, 0) for argument in arguments)


def of_scalar(scalar: ast.Scalar, at: int, history: History, scope: Scope) -> set[str]:
    """The events that a scalar reads. A property reads the event at hand, which its stream contributes anyway."""
    match scalar:
        case ast.Trait():
            write = history.last_write(scalar.path, at)
            return {write.message_id} if write else set()
        case ast.Column():
            decided = history.column_write(scalar.name, at)
            return {decided.message_id} if decided else set()
        case ast.ComputedTrait():
            return of_scalar(history.computed_trait(scalar.name).value, at, history, TOP)
        case ast.Membership():
            interval = history.membership(scalar.name, at)
            return set(interval.message_ids) if interval else set()
        case ast.Reduced():
            return set().union(
                *(of_event(event, scalar, at, history, scope) for event in read(scalar, at, history, scope))
            )
        case _:
            return set()


def read(scalar: ast.Reduced, at: int, history: History, scope: Scope) -> list[Happening]:
    """The events that a reducer reads."""
    events = counted(scalar.stream, at, history, scope)
    if scalar.reducer in DECIDED_BY_ONE:
        one = deciding(scalar, events, scope)
        return [one] if one else []
    if not isinstance(scalar.operand, ast.Field):
        return events
    having = {event.message_id for event, single in operands(scalar, events, scope) if is_usable(scalar, single)}
    return [event for event in events if event.message_id in having]


def is_usable(scalar: ast.Reduced, single: object) -> bool:
    """Whether a reducer can use a value: a sum only numbers. An event "has the property" where it can."""
    if scalar.reducer in ("sum", "avg"):
        return as_written(single) is not None
    return scalar.reducer != "mode" or cast_value(scalar, single) is not None


def of_event(event: Happening, scalar: ast.Reduced, at: int, history: History, scope: Scope) -> set[str]:
    """An event that counts, and what made its `where` true."""
    wheres = [item.condition for item in scalar.stream.filters if isinstance(item, ast.Where)]
    inside = Scope(event, scope.event)
    return {event.message_id}.union(*(witness(where, at, history, inside, wanted=True) for where in wheres))


# --- mentions --------------------------------------------------------------------------------------------------------


def mentioned(segment: ast.SegmentDefinition, at: int, history: History) -> list[str]:
    """The events at exactly an instant that a segment's rule mentions, the earliest 10."""
    return earliest(mentioned_by(segment.when, at, history), history)


def mentioned_by(tree: object, at: int, history: History) -> set[str]:
    """Those that a rule mentions; of ANY and ALL those of the users, and what puts users in."""
    now = [happening for happening in history.happenings if happening.timestamp == at]
    found: set[str] = set()
    for node in mentions(tree, history):
        if isinstance(node, ast.Quantified):
            found |= {event.message_id for event in now if event.type == "identify"}
            found |= set().union(*(mentioned_by(node.item, at, user) for user in history.users_at(at)))
        else:
            found |= {event.message_id for event in now if is_mentioned(event, node)}
    return found


def is_mentioned(event: Happening, node: ast.Stream | ast.Trait | ast.Column) -> bool:
    """Whether an event is of a stream, or writes a trait or a column."""
    match node:
        case ast.Stream():
            return is_of(event, node)
        case ast.Trait():
            written = event.traits if event.type == "identify" and isinstance(event.traits, dict) else {}
            return not {node.path, node.path.split(".", maxsplit=1)[0]}.isdisjoint(written)
        case ast.Column():
            return concerns_column(event, node.name)


def mentions(tree: object, history: History) -> Iterator[ast.Stream | ast.Trait | ast.Column | ast.Quantified]:
    """The streams, traits and columns that a rule reads, also through what it refers to; not what is in ANY and ALL."""
    if isinstance(tree, tuple):
        for item in tree:
            yield from mentions(item, history)
    if isinstance(tree, ast.Stream | ast.Trait | ast.Column | ast.Quantified):
        yield tree
    if isinstance(tree, ast.ComputedTrait):
        yield from mentions(history.computed_trait(tree.name).value, history)
    if isinstance(tree, ast.Membership):
        yield from mentions(history.segment(tree.name).when, history)
    if is_dataclass(tree) and not isinstance(tree, ast.Quantified):
        for part in fields(tree):
            yield from mentions(getattr(tree, part.name), history)
