"""What a block of e-mail is, apart from any syntax: text, values and choices over one person.

    Text("Hi ")
    Show(Field("profile", "first_name"), (Filter("default", ("there",)),))
    Choice(((Member("recent_buyers"), (Text("Thanks"),)),), otherwise=())

What conditions mean (docs/content.md has the same as a table):

- A trait that is missing, null, an empty text or an empty list is *empty*: platforms keep no difference between these.
- `Filled` holds for what is neither empty nor false. 0 is a value.
- `Compare` with = and != compares values of one type; empty is unequal to everything. The others compare numbers; with
  anything else they are false.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Root = Literal["profile", "computed", "segments"]
Operator = Literal["==", "!=", "<", "<=", ">", ">="]
Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Field:
    """A value of the person: a trait or typed column, or a computed trait. `at`: where it stands in the source."""

    root: Root
    name: str
    at: int = 0

    @property
    def path(self) -> str:
        """As it is named in `fields:` of a destination: `first_name`, `computed.orders_90_days`."""
        return self.name if self.root == "profile" else f"{self.root}.{self.name}"


@dataclass(frozen=True, slots=True)
class Compare:
    field: Field
    operator: Operator
    value: Scalar


@dataclass(frozen=True, slots=True)
class Filled:
    field: Field


@dataclass(frozen=True, slots=True)
class Contains:
    """A text that contains `part`, or a list that has it as an element."""

    field: Field
    part: str


@dataclass(frozen=True, slots=True)
class Member:
    """Is in the segment."""

    segment: Field


@dataclass(frozen=True, slots=True)
class Not:
    inner: Condition


@dataclass(frozen=True, slots=True)
class And:
    left: Condition
    right: Condition
    at: int = 0


@dataclass(frozen=True, slots=True)
class Or:
    left: Condition
    right: Condition
    at: int = 0


Condition = Compare | Filled | Contains | Member | Not | And | Or


@dataclass(frozen=True, slots=True)
class Filter:
    """One step of `value | name: arguments`."""

    name: str
    arguments: tuple[Scalar, ...] = ()
    at: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class Show:
    """A value, or a text that is written in the template, after its filters."""

    value: Field | Scalar
    filters: tuple[Filter, ...] = ()
    at: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """The first branch whose condition holds, else `otherwise`. `places`: where each branch begins in the source."""

    branches: tuple[tuple[Condition, Body], ...]
    otherwise: Body = ()
    at: int = 0
    places: tuple[int, ...] = ()


Part = Text | Show | Choice
Body = tuple[Part, ...]


def fields_of(body: Body) -> Iterator[Field]:
    """Every field and segment that is named, in the order of the source."""
    for part in body:
        if isinstance(part, Show) and isinstance(part.value, Field):
            yield part.value
        elif isinstance(part, Choice):
            for condition, inner in part.branches:
                yield from fields_in(condition)
                yield from fields_of(inner)
            yield from fields_of(part.otherwise)


def fields_in(condition: Condition) -> Iterator[Field]:
    """Every field and segment of a condition."""
    match condition:
        case And(left, right) | Or(left, right):
            yield from fields_in(left)
            yield from fields_in(right)
        case Not(inner):
            yield from fields_in(inner)
        case Member(segment):
            yield segment
        case Compare() | Filled() | Contains():
            yield condition.field


def choices_of(body: Body) -> Iterator[Choice]:
    """Every choice, outer ones before those inside them."""
    for part in body:
        if isinstance(part, Choice):
            yield part
            for _, inner in part.branches:
                yield from choices_of(inner)
            yield from choices_of(part.otherwise)
