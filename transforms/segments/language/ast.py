"""The syntax tree of a rule: immutable, comparable, hashable.

Positions do not take part in equality, so that two rules which say the same share one compiled form. All durations and
instants are microseconds. Operators have their function names (`=` and `==` are "equals").
"""

# ruff: noqa: RUF009 - `_position()` is a dataclass field, as `field()` is

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal as OneOf

from schemas.errors import Position as Position  # noqa: PLC0414 - it is a name of this module, too


def _position() -> Position:
    return field(default=Position(), compare=False, repr=False)


# --- scalars ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Literal:
    """A plain string, number or boolean. Numbers are int where written without a point."""

    value: str | int | float | bool
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time, the argument of a filter or a date comparator."""

    microseconds: int
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class Instant:
    """A date or date-time literal. `text` is how it was written, for comparisons as text."""

    microseconds: int
    text: str
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class Trait:
    """`trait('path')`: the profile's trait as it was sent."""

    path: str
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class ComputedTrait:
    """`trait('NAME')` where traits/NAME.yaml exists (set by the resolver, never by the parser)."""

    name: str
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class Membership:
    """`trait('segments.NAME')`, or `trait('NAME')` where NAME is a segment: true or false (set by the resolver)."""

    name: str
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class Field:
    """`property('path')` or `context('path')`, of the event at hand or (`parent`) of the enclosing one."""

    source: OneOf["properties", "context"]
    path: str
    parent: bool = False
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class Column:
    """`profile('NAME')`: a typed column of the profile as it is at T."""

    name: str
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class Percent:
    """`percent('salt')`: the profile's stable bucket, a whole number 0..99."""

    salt: str
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class Reduced:
    """A stream brought down to one value.

    `reducer`: a row of `REDUCERS` in transforms/segments/reducers.py (`unique(x).count()` is "unique_count").
    `operand`: the property or the gap in its brackets, None where they are empty. `cast`: None where none was written.
    """

    stream: Stream
    reducer: str
    operand: Field | Duration | None = None
    cast: OneOf["number", "string", "array"] | None = None
    min_frequency: int | None = None
    position: Position = _position()

    @property
    def field(self) -> Field | None:
        """The property that is reduced, where there is one."""
        return self.operand if isinstance(self.operand, Field) else None

    @property
    def gap(self) -> int:
        """How long a pause between two events must be to part sessions; 0 for other reducers."""
        return self.operand.microseconds if isinstance(self.operand, Duration) else 0


Scalar = Literal | Duration | Instant | Trait | ComputedTrait | Membership | Column | Field | Percent | Reduced

# --- streams ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Where:
    """Keeps the events for which the condition holds at T."""

    condition: Condition
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class Window:
    """`within(d)` is Window(0, d), `between(s, e)` Window(s, e): start <= T - timestamp < end."""

    start: int
    end: int
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class ParentWindow:
    """Keeps events by start <= timestamp - parent's timestamp < end.

    `within(parent: d)` is (0, d, excludes_parent=True), `between(parent: s, e)` (s, e, False).
    """

    start: int
    end: int
    excludes_parent: bool
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class Stream:
    """`event('NAME')` (type "track"), `page('NAME')` or `screen('NAME')`, with its filters in written order.

    Without a name (None): all events of the type; those of type "activity" are of any of the three types.
    """

    type: OneOf["track", "page", "screen", "activity"]
    name: str | None
    filters: tuple[Where | Window | ParentWindow, ...] = ()
    position: Position = _position()

    def types(self) -> tuple[str, ...]:
        """The event types that it takes events of."""
        return ("track", "page", "screen") if self.type == "activity" else (self.type,)


# --- conditions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Compare:
    """`left op arguments`. Operators: equals differs greater_than at_least less_than at_most absent exists contains
    omits starts_with ends_with one_of none_of before_date after_date within_last within_next before_last after_next.
    """

    operator: str
    left: Scalar
    arguments: tuple[Scalar, ...] = ()
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class HeldFor:
    """`comparison.held_for(d)`: true at every instant of [T - d, T]."""

    comparison: Compare
    duration: int
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class And:
    items: tuple[Condition, ...]
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class Or:
    items: tuple[Condition, ...]
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class Not:
    item: Condition
    position: Position = _position()


@dataclass(frozen=True, slots=True)
class Quantified:
    """`ANY(rule)` (not `every`) or `ALL(rule)`: for at least one, or for every one, of an account's users."""

    every: bool
    item: Condition
    position: Position = _position()


Condition = Compare | HeldFor | And | Or | Not | Quantified
Subject = OneOf["users", "accounts"]
"""What a segment's members are, or what a computed trait is worked out for."""


# --- definitions -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SegmentDefinition:
    """One file of the segments directory. Exactly one of `when` and `members` is set. Durations in microseconds."""

    name: str
    description: str
    when: Condition | None
    members: frozenset[str] | None = None
    expires: int | None = None
    max_membership: int | None = None
    reentry_after: int | None = None
    anonymous: bool = True
    consent: tuple[str, ...] = ()
    of: Subject = "users"
    version: str = ""
    file: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class TraitDefinition:
    """One file of the traits directory: a computed trait."""

    name: str
    description: str
    value: Scalar
    of: Subject = "users"
    version: str = ""
    file: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Definitions:
    """Everything a job evaluates, references resolved; segments and traits stand after those they refer to."""

    segments: tuple[SegmentDefinition, ...] = ()
    traits: tuple[TraitDefinition, ...] = ()

    def about(self, subject: Subject) -> Definitions:
        """Those of people, or those of accounts."""
        segments = tuple(segment for segment in self.segments if segment.of == subject)
        return Definitions(segments, tuple(trait for trait in self.traits if trait.of == subject))
