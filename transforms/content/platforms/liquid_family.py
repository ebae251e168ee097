"""Platforms that speak Liquid themselves: Braze and Customer.io.

| a block | Liquid |
| --- | --- |
| `{{ profile.city }}` | the value, escaped; Liquid itself escapes nothing |
| `{% if profile.city %}` | `city and city != ''`: an empty text is no value here, and is one in Liquid |
| `a and b or c` | the same: it groups from the right here and there; what is asked in two parts is put last |
| `unless` | the same |

`!= blank` would ask for a value in one part, but engines of the family differ on what it says of nil.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from transforms.content.block import (
    And,
    Choice,
    Compare,
    Condition,
    Contains,
    Field,
    Filled,
    Member,
    Not,
    Or,
    Show,
    Text,
    fields_in,
)
from transforms.content.platforms.platform import ExpressionPlatform, json_text


@dataclass(frozen=True, slots=True)
class _Group:
    junction: str
    parts: tuple[_Group | str, ...]

    def flat(self) -> Iterator[_Group | str]:
        """The parts, groups of the same kind opened."""
        for part in self.parts:
            if isinstance(part, _Group) and part.junction == self.junction:
                yield from part.flat()
            else:
                yield part


class LiquidFamily(ExpressionPlatform):
    """Liquid, with a platform's own names."""

    else_if = "elsif"
    missing_stops: ClassVar[bool] = False

    @abstractmethod
    def operand(self, field: Field) -> str:
        """The value inside a tag."""

    def shown(self, field: Field) -> str:
        """The value inside `{{ }}`."""
        return self.operand(field)

    @abstractmethod
    def segments(self) -> str:
        """The list of the person's segments, inside a tag."""

    def text(self, part: Text) -> str:
        return self.other_text(part, ("{{", "{%"), lambda text: f"{{% raw %}}{text}{{% endraw %}}")

    def show(self, part: Show) -> str:
        value = self.shown(part.value) if isinstance(part.value, Field) else json_text(part.value)
        steps = [
            one.name + (f": {', '.join(json_text(argument) for argument in one.arguments)}" if one.arguments else "")
            for one in part.filters
        ]
        names = [one.name for one in part.filters]
        if self.missing_stops and isinstance(part.value, Field) and "default" not in names:
            steps.insert(0, "default: ''")
        if "escape" not in names:
            steps.append("escape")
        return "{{ " + " | ".join([value, *steps]) + " }}"

    def choice(self, part: Choice) -> str:
        (first, body), *others = part.branches
        if not isinstance(first, Not) or isinstance(first.inner, Filled):
            return super().choice(part)
        said = [f"{{% unless {self.condition(first.inner)} %}}", self.say(body)]
        for condition, inner in others:
            said += [f"{{% elsif {self.condition(condition)} %}}", self.say(inner)]
        if part.otherwise:
            said += ["{% else %}", self.say(part.otherwise)]
        return "".join([*said, "{% endunless %}"])

    def condition(self, condition: Condition) -> str:
        # Without parentheses not every group can be said once "has a value" is asked in two parts. Then it is asked
        # in one, which differs only where the platform holds an empty text.
        return self._joined(self._in_parts(condition)) or self._plainly(condition)

    def _in_parts(self, condition: Condition) -> _Group | str:
        match condition:
            case And(left, right):
                return _Group("and", (self._in_parts(left), self._in_parts(right)))
            case Or(left, right):
                return _Group("or", (self._in_parts(left), self._in_parts(right)))
            case Filled(field):
                value = self.operand(field)
                return _Group("and", (value, f"{value} != ''"))
            case Not(Filled(field)):
                value = self.operand(field)
                return _Group("or", (f"{value} == nil", f"{value} == ''", f"{value} == false"))
        return self._plainly(condition)

    def _joined(self, part: _Group | str) -> str | None:
        """A group as Liquid reads it, from right to left: only its last part can be a group of the other kind."""
        if isinstance(part, str):
            return part
        flat = part.flat()
        groups = [inner for inner in flat if isinstance(inner, _Group)]
        if len(groups) > 1:
            return None
        last = [self._joined(inner) for inner in groups]
        texts = [*(inner for inner in flat if isinstance(inner, str)), *last]
        return None if None in texts else f" {part.junction} ".join(map(str, texts))

    def _plainly(self, condition: Condition) -> str:
        match condition:
            case And(left, right):
                return f"{self._plainly(left)} and {self._plainly(right)}"
            case Or(left, right):
                return f"{self._plainly(left)} or {self._plainly(right)}"
            case Not(inner):
                # Liquid has no `not`; `unless` stands at the head of a choice, and inside it is only `== blank`.
                return f"{self.operand(next(fields_in(inner)))} == nil"
            case Compare(field, operator, value):
                return f"{self.operand(field)} {operator} {json_text(value)}"
            case Filled(field):
                return self.operand(field)
            case Contains(field, part):
                return f"{self.operand(field)} contains {json_text(part)}"
            case Member(segment):
                return f"{self.segments()} contains {json_text(segment.name)}"
