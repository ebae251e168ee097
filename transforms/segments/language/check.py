"""Types and places: what can be compared with what, and where a function has a meaning.

A type is what is known of a value before any event. Properties, context and traits are UNKNOWN: they can be anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schemas.errors import Problem
from transforms.segments.language import ast
from transforms.segments.language.columns import COLUMNS
from transforms.segments.language.errors import SourceFile
from transforms.segments.language.format import format_scalar
from transforms.segments.language.functions import COMPARATORS
from transforms.segments.language.kinds import Type
from transforms.segments.language.literals import is_instant, is_numeric
from transforms.segments.language.walk import Enclosing, Node, walk
from transforms.segments.reducers import REDUCERS

ComputedTypes = Mapping[str, Type]
"""The type of each computed trait that is known so far."""

_LITERALS = {bool: Type.BOOLEAN, str: Type.TEXT, int: Type.NUMBER, float: Type.NUMBER}
_CASTS = {"number": Type.NUMBER, "string": Type.TEXT, "array": Type.UNKNOWN}


def type_of(scalar: ast.Scalar, computed: ComputedTypes) -> Type:
    """What is known of the value."""
    if isinstance(scalar, ast.Literal):
        return _LITERALS[type(scalar.value)]
    if isinstance(scalar, ast.Reduced):
        return _CASTS[scalar.cast] if scalar.cast else REDUCERS[scalar.reducer].gives
    if isinstance(scalar, ast.ComputedTrait):
        return computed.get(scalar.name, Type.UNKNOWN)
    if isinstance(scalar, ast.Percent):
        return Type.NUMBER
    if isinstance(scalar, ast.Column):
        return COLUMNS[scalar.name]
    if isinstance(scalar, ast.Membership):
        return Type.BOOLEAN
    if isinstance(scalar, ast.Instant):
        return Type.INSTANT
    return Type.DURATION if isinstance(scalar, ast.Duration) else Type.UNKNOWN


def check(
    tree: ast.Condition | ast.Scalar, source: SourceFile, computed: ComputedTypes, of: ast.Subject = "users"
) -> list[Problem]:
    """Everything in a segment's condition or a computed trait's value that is misplaced or cannot be compared."""
    problems = [*_misplaced(tree, source), *_of_others(tree, source, of)]
    if isinstance(tree, ast.Duration):
        problems.append(source.problem(tree.position, "a duration is not a value", "a value, as event('NAME').count()"))
    for node, _ in walk(tree):
        fault = _fault(node, computed) if isinstance(node, ast.Compare) else None
        if fault is not None:
            problems.append(source.problem(*fault))
    return problems


def never_true(tree: ast.Condition | ast.Scalar, source: SourceFile, computed: ComputedTypes) -> list[Problem]:
    """Warnings: comparisons that are allowed and can never hold."""
    found = []
    for node, _ in walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        meaning = COMPARATORS[node.operator].meaning
        for argument in node.arguments:
            if meaning == "ordering" and _is_word(argument) and type_of(node.left, computed) is not Type.INSTANT:
                message = f"{node.operator} compares numbers and dates; with a word it is never true"
                found.append(source.problem(argument.position, message))
            elif meaning == "equality" and _is_text_value(node.left) and _is_plain_number(argument):
                value = format_scalar(argument)
                message = f"{_name(node.left)} is text, which never equals the number {value}"
                found.append(source.problem(argument.position, message, suggestion=f"'{value}'"))
    return found


def _misplaced(root: Node, source: SourceFile) -> Iterator[Problem]:
    for node, streams in walk(root):
        if isinstance(node, ast.Field):
            yield from _misplaced_field(node, streams, source)
        elif isinstance(node, ast.ParentWindow) and not streams:
            message = "a window on 'parent:' has a meaning only inside the where() of another event"
            yield source.problem(node.position, message, "within(7 days), or this stream inside a where()")
        elif isinstance(node, ast.HeldFor):
            yield from _misplaced_held_for(node, source)


def _of_others(root: Node, source: SourceFile, of: ast.Subject) -> Iterator[Problem]:
    """ANY and ALL where no account is asked, columns where no person is."""
    for node, streams in walk(root):
        if isinstance(node, ast.Quantified):
            if of != "accounts":
                message = "ANY and ALL are about the users of an account"
                yield source.problem(node.position, message, "a key 'of: accounts' in the file")
            elif streams or any(isinstance(inner, ast.Quantified) for inner, _ in walk(node.item)):
                message = "ANY and ALL stand neither in a where() nor in one another"
                yield source.problem(node.position, message, "AND or OR between them")
    if of == "accounts":
        for node in _of_account(root):
            if isinstance(node, ast.Column):
                message = "an account has no columns; its traits are read by trait('NAME')"
                yield source.problem(node.position, message, f"ANY(profile('{node.name}') ...)")


def _of_account(root: Node) -> Iterator[Node]:
    """The nodes that are outside every ANY and ALL."""
    inside = {id(inner) for node, _ in walk(root) if isinstance(node, ast.Quantified) for inner, _ in walk(node.item)}
    return (node for node, _ in walk(root) if id(node) not in inside)


def _misplaced_field(field: ast.Field, streams: Enclosing, source: SourceFile) -> Iterator[Problem]:
    name = "property" if field.source == "properties" else "context"
    if not streams:
        message = f"{name}() has a meaning only inside where() or a reducer"
        yield source.problem(
            field.position, message, f"trait('NAME'), or event('NAME').where({name}('path') = 'value')"
        )
    elif field.parent and len(streams) < 2:
        message = (
            f"{name}(parent: ...) has a meaning only inside the where() of a stream that is itself inside a where()"
        )
        yield source.problem(field.position, message, f"{name}('{field.path}')")


def _misplaced_held_for(held: ast.HeldFor, source: SourceFile) -> Iterator[Problem]:
    if not isinstance(held.comparison.left, ast.Trait | ast.ComputedTrait | ast.Membership | ast.Column):
        message = "held_for() follows a comparison of a trait"
        yield source.problem(held.position, message, "trait('NAME') on the left of the comparison")
    for argument in held.comparison.arguments:
        if isinstance(argument, ast.Field):
            message = "held_for() cannot compare with a property of an event"
            yield source.problem(argument.position, message, "a literal or a trait")


Fault = tuple[ast.Position, str, str]
"""Where, what is wrong, what was expected."""


def _fault(comparison: ast.Compare, computed: ComputedTypes) -> Fault | None:
    """Why the two sides cannot be compared, if they cannot."""
    left, meaning = comparison.left, COMPARATORS[comparison.operator].meaning
    kind = type_of(left, computed)
    if kind is Type.DURATION:
        return left.position, "a duration is not a value to compare", "a value on the left"
    if meaning == "presence":
        return None
    if kind is Type.LIST and meaning != "text":
        return (
            comparison.position,
            f"{_name(left)} is a list; it has no {comparison.operator}",
            "contains('...')" if isinstance(left, ast.Column) else ".count() after unique(...)",
        )
    for argument in comparison.arguments:
        if type_of(argument, computed) is Type.LIST:
            return argument.position, f"{_name(argument)} is a list; nothing compares with it", ".count() after it"
    if meaning in ("date", "relative_date"):
        return _date_fault(comparison, computed)
    if meaning == "text":
        return _text_fault(comparison, computed)
    return _value_fault(comparison, computed, ordered=meaning == "ordering")


def _value_fault(comparison: ast.Compare, computed: ComputedTypes, *, ordered: bool) -> Fault | None:
    left = comparison.left
    for argument in comparison.arguments:
        for one, other in ((left, argument), (argument, left)):
            kind = type_of(one, computed)
            if ordered and kind is Type.BOOLEAN:
                message = f"{comparison.operator} compares numbers and dates; {_name(one)} is true or false"
                return one.position, message, "= true or = false"
            if _clash(kind, other, computed):
                message = f"{_name(one)} is {kind.value}; it cannot be compared with {_name(other)}"
                return other.position, message, _comparable_with(kind)
    return None


def _clash(kind: Type, other: ast.Scalar, computed: ComputedTypes) -> bool:
    """Whether a value of this type can never compare with the other."""
    others = type_of(other, computed)
    text = other.value if isinstance(other, ast.Literal) and isinstance(other.value, str) else None
    if kind is Type.NUMBER:
        return others in (Type.BOOLEAN, Type.INSTANT) or (text is not None and not is_numeric(text))
    if kind is Type.BOOLEAN:
        return others in (Type.NUMBER, Type.INSTANT) or (text is not None and text not in ("true", "false"))
    if kind is Type.INSTANT:
        return others in (Type.NUMBER, Type.BOOLEAN) or (text is not None and not is_instant(text))
    return False


def _comparable_with(kind: Type) -> str:
    if kind is Type.NUMBER:
        return "a number"
    return "true or false" if kind is Type.BOOLEAN else "an ISO 8601 date"


def _text_fault(comparison: ast.Compare, computed: ComputedTypes) -> Fault | None:
    kind = type_of(comparison.left, computed)
    # Of a list it asks each element.
    if kind not in (Type.TEXT, Type.LIST, Type.UNKNOWN):
        message = f"{comparison.operator}() looks into text; {_name(comparison.left)} is {kind.value}"
        return comparison.position, message, "a property, a trait or other text on the left"
    for argument in comparison.arguments:
        kind = type_of(argument, computed)
        if kind not in (Type.TEXT, Type.UNKNOWN):
            message = f"{comparison.operator}() looks for text; {_name(argument)} is {kind.value}"
            return argument.position, message, "text in quotes"
    return None


def _date_fault(comparison: ast.Compare, computed: ComputedTypes) -> Fault | None:
    sides = [comparison.left]
    if COMPARATORS[comparison.operator].meaning == "date":
        sides += comparison.arguments
    for side in sides:
        kind = type_of(side, computed)
        text = side.value if isinstance(side, ast.Literal) and isinstance(side.value, str) else None
        if kind in (Type.NUMBER, Type.BOOLEAN) or (text is not None and not is_instant(text)):
            place = comparison.position if side is comparison.left else side.position
            shown = "text" if kind is Type.TEXT else kind.value
            message = f"{comparison.operator}() compares dates; {_name(side)} is {shown}"
            return place, message, "a trait or property that holds a date, or .first_at() or .last_at() of events"
    return None


def _is_word(scalar: ast.Scalar) -> bool:
    return (
        isinstance(scalar, ast.Literal)
        and isinstance(scalar.value, str)
        and not is_numeric(scalar.value)
        and not is_instant(scalar.value)
    )


def _is_text_value(scalar: ast.Scalar) -> bool:
    return isinstance(scalar, ast.Reduced | ast.Column) and type_of(scalar, {}) is Type.TEXT


def _is_plain_number(scalar: ast.Scalar) -> bool:
    return isinstance(scalar, ast.Literal) and not isinstance(scalar.value, str)


def _name(scalar: ast.Scalar) -> str:
    """The value as an error calls it."""
    if isinstance(scalar, ast.Reduced):
        follows = REDUCERS[scalar.reducer].follows
        return f"{follows}(...).count()" if follows else f"{scalar.reducer}()"
    return format_scalar(scalar)
