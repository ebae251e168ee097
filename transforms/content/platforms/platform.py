"""What all platforms have in common: places of refusals, names of fields, and the two ways to say a choice.

`ExpressionPlatform` has conditions as expressions: `{% if a and b %}`. `NestingPlatform` asks one thing at a time, so
that `a and b` becomes one question inside the other, and the branch that both may lead to is said twice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import ClassVar

from schemas.errors import Problem
from transforms.content.block import (
    And,
    Body,
    Choice,
    Compare,
    Condition,
    Contains,
    Field,
    Filled,
    Member,
    Not,
    Or,
    Scalar,
    Show,
    Text,
)
from transforms.content.known import kind_of
from transforms.segments.language.errors import SourceFile


class Platform(ABC):
    """One platform's syntax. `problems` gathers what it cannot say."""

    title: ClassVar[str]
    own_names: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """The platform's names for typed columns, where they are not ours."""

    def __init__(self, source: SourceFile, fields: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._source = source
        self._fields = fields

    def say(self, body: Body) -> str:
        """The block in this platform's syntax; look at `problems` afterwards."""
        return "".join(self._part(part) for part in body)

    def _part(self, part: Text | Show | Choice) -> str:
        match part:
            case Text():
                return self.text(part)
            case Show():
                return self.show(part)
            case Choice():
                return self.choice(part)

    def refuse(self, at: int, message: str, what_to_do: str) -> str:
        """Notes what cannot be said; the text that stands in its place is never used."""
        self.problems.append(self._source.problem(self._source.position(at), f"{self.title}: {message}", what_to_do))
        return ""

    def field(self, field: Field) -> str:
        """What the platform calls a value of the person."""
        given = self._fields.get(field.path)
        return given if given is not None else self.own_names.get(field.path, field.name)

    @abstractmethod
    def text(self, part: Text) -> str: ...

    @abstractmethod
    def show(self, part: Show) -> str: ...

    @abstractmethod
    def choice(self, part: Choice) -> str: ...

    def default_as_choice(self, part: Show) -> str | None:
        """A value with a default as a choice between both; None where the platform's own default is right.

        Their defaults replace 0 too, which is a value here.
        """
        names = [one.name for one in part.filters]
        if not isinstance(part.value, Field) or not may_be_zero(part.value) or "default" not in names:
            return None
        at = names.index("default")
        before, default, after = part.filters[:at], part.filters[at], part.filters[at + 1 :]
        shown = Show(part.value, (*before, *after), part.at)
        instead = Show(default.arguments[0], after, part.at)
        return self.choice(Choice(((Filled(part.value), (shown,)),), (instead,), part.at))

    def other_text(self, part: Text, marks: tuple[str, ...], keep: Callable[[str], str]) -> str:
        """Text that holds the platform's own marks, kept as text."""
        return keep(part.text) if any(mark in part.text for mark in marks) else part.text


class ExpressionPlatform(Platform):
    """Platforms of the families of Liquid, Jinja and Django."""

    else_if: ClassVar[str]

    def choice(self, part: Choice) -> str:
        first, *others = part.branches
        said = [f"{{% if {self.condition(first[0])} %}}", self.say(first[1])]
        for condition, body in others:
            said += [f"{{% {self.else_if} {self.condition(condition)} %}}", self.say(body)]
        if part.otherwise:
            said += ["{% else %}", self.say(part.otherwise)]
        return "".join([*said, "{% endif %}"])

    @abstractmethod
    def condition(self, condition: Condition) -> str: ...


class NestingPlatform(Platform):
    """Platforms whose `if` asks one thing."""

    def choice(self, part: Choice) -> str:
        (condition, body), *others = part.branches
        rest = Choice(tuple(others), part.otherwise, part.at, part.places[1:]) if others else None
        return self.nest(condition, self.say(body), self._part(rest) if rest else self.say(part.otherwise))

    def nest(self, condition: Condition, then: str, otherwise: str) -> str:
        """The choice between two texts."""
        match condition:
            case Not(inner):
                return self.nest(inner, otherwise, then)
            case And(left, right):
                return self.nest(left, self.nest(right, then, otherwise), otherwise)
            case Or():
                return self.either(condition, then, otherwise)
            case Compare() | Filled() | Contains() | Member():
                return self.ask(condition, then, otherwise)

    def either(self, condition: Or, then: str, otherwise: str) -> str:
        """A choice by `or`."""
        return self.nest(condition.left, then, self.nest(condition.right, then, otherwise))

    @abstractmethod
    def ask(self, condition: Compare | Filled | Contains | Member, then: str, otherwise: str) -> str: ...


def json_text(value: Scalar, quote: str = "'") -> str:
    """A literal of an expression: text in quotes, the others as in JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return repr(value)
    other = '"' if quote == "'" else "'"
    return f"{quote}{value}{quote}" if quote not in value else f"{other}{value}{other}"


def may_be_zero(field: Field) -> bool:
    """Whether the field's value can be a number, whose 0 some platforms take for nothing."""
    return kind_of(field) in {"number", "unknown"}
