"""Platforms that speak Liquid themselves: Braze and Customer.io.

| a block | Liquid |
| --- | --- |
| `{{ profile.city }}` | the value, escaped; Liquid itself escapes nothing |
| `{% if profile.city %}` | `!= blank`: an empty text is no value here, and is one in Liquid |
| `a and b or c` | the same: it groups from the right here and there |
| `unless` | the same |
"""

from __future__ import annotations

from abc import abstractmethod
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
        match condition:
            case And(left, right):
                return f"{self.condition(left)} and {self.condition(right)}"
            case Or(left, right):
                return f"{self.condition(left)} or {self.condition(right)}"
            case Not(inner):
                # Liquid has no `not`. Of what a block can say, only `== blank` is one inside a condition.
                return f"{self.operand(next(fields_in(inner)))} == blank"
            case Compare(field, operator, value):
                return f"{self.operand(field)} {operator} {json_text(value)}"
            case Filled(field):
                return f"{self.operand(field)} != blank"
            case Contains(field, part):
                return f"{self.operand(field)} contains {json_text(part)}"
            case Member(segment):
                return f"{self.segments()} contains {json_text(segment.name)}"
