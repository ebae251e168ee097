"""Klaviyo: of Django's family. Values of its own have names; all others are looked up at the person.

| a block | Klaviyo |
| --- | --- |
| `{{ profile.first_name | default: 'there' }}` | `{{ first_name|default:'there' }}`; Django escapes by itself |
| `{{ computed.orders_90_days }}` | `{{ person|lookup:'orders_90_days' }}` |
| `a and b or c` | `a and b or a and c`: Django has no parentheses and groups `and` before `or` |
| `date: '%d.%m.%Y'` | `|format_date_string|date:'d.m.Y'` |
"""

from __future__ import annotations

import re

from transforms.content.block import (
    And,
    Compare,
    Condition,
    Contains,
    Field,
    Filled,
    Filter,
    Member,
    Not,
    Or,
    Scalar,
    Show,
    Text,
)
from transforms.content.platforms.platform import ExpressionPlatform, json_text, may_be_zero

_STANDARD = {
    "first_name": "first_name",
    "last_name": "last_name",
    "email": "email",
    "phone": "phone_number",
}
_DATES = dict(
    zip(
        "Y m d H M S y B b A a e p I -d -m".split(),
        "Y m d H i s y F M l D j A h j n".split(),
        strict=True,
    )
)
"""strftime's letters, which Liquid takes, and Django's for the same."""
_NO_VALUES = ("''", "'None'", "'False'")


class Klaviyo(ExpressionPlatform):
    title = "Klaviyo"
    else_if = "elif"

    def text(self, part: Text) -> str:
        return self.other_text(part, ("{{", "{%", "{#"), lambda text: f"{{% verbatim %}}{text}{{% endverbatim %}}")

    def show(self, part: Show) -> str:
        said = self.default_as_choice(part)
        if said is not None:
            return said
        steps = [self._filter(one) for one in part.filters if one.name != "escape"]
        return "{{ " + "|".join([self._value(part.value), *steps]) + " }}"

    def condition(self, condition: Condition) -> str:
        return " or ".join(" and ".join(map(self._one, every)) for every in self._alternatives(condition))

    def _one(self, condition: Condition | str) -> str:
        match condition:
            case str():
                return condition
            case Not(Filled(field)):
                return f"not {self._value(field)}"
            case Not(Member() as member):
                return self._one(member).replace(" in ", " not in ", 1)
            case Not(inner):
                return f"not {self._one(inner)}"
            case Compare(field, operator, value):
                return f"{self._value(field)} {operator} {_literal(value)}"
            case Filled(field):
                return self._value(field)
            case Contains(field, part):
                return f"{_literal(part)} in {self._value(field)}"
            case Member(segment):
                given = self._fields.get(segment.path)
                if given is not None:
                    return f"person|lookup:'{given}' == 'Y'"
                return f"'{segment.name}' in person|lookup:'segments'"
        raise AssertionError(condition)

    def _alternatives(self, condition: Condition) -> list[list[Condition | str]]:
        """A condition as alternatives of things that all hold: `a and (b or c)` is `a and b` or `a and c`."""
        match condition:
            case Or(left, right):
                return [*self._alternatives(left), *self._alternatives(right)]
            case And(left, right):
                return [[*a, *b] for a in self._alternatives(left) for b in self._alternatives(right)]
            case Not(And(left, right)):
                return self._alternatives(Or(Not(left), Not(right)))
            case Not(Or(left, right)):
                return self._alternatives(And(Not(left), Not(right)))
            case Not(Not(inner)):
                return self._alternatives(inner)
            case Filled(field) if may_be_zero(field):
                # 0 is a value here, and false to Django: the texts of what is no value are told apart.
                return [[f"{self._value(field)}|stringformat:'s' != {word}" for word in _NO_VALUES]]
            case Not(Filled(field)) if may_be_zero(field):
                return [[f"{self._value(field)}|stringformat:'s' == {word}"] for word in _NO_VALUES]
        return [[condition]]

    def _value(self, value: Field | Scalar) -> str:
        if not isinstance(value, Field):
            return _literal(value)
        if value.path in _STANDARD and value.path not in self._fields:
            return _STANDARD[value.path]
        return f"person|lookup:'{self.field(value)}'"

    def _filter(self, one: Filter) -> str:
        match one.name:
            case "default":
                return f"default:{_literal(one.arguments[0])}"
            case "capitalize":
                return "lower|capfirst"
            case "date":
                return f"format_date_string|date:'{self._date(one)}'"
        return {"upcase": "upper", "downcase": "lower"}[one.name]

    def _date(self, one: Filter) -> str:
        unknown = [letter for letter in re.findall(r"%(-?.)", str(one.arguments[0])) if letter not in _DATES]
        if unknown:
            self.refuse(
                one.at, f"dates have no %{unknown[0]}", "use one of " + " ".join("%" + letter for letter in _DATES)
            )
            return ""
        parts = re.split(r"%(-?.)", str(one.arguments[0]))
        # Letters between the fields are Django's too: a backslash keeps them.
        kept = [re.sub(r"([A-Za-z])", r"\\\\\1", text) if i % 2 == 0 else _DATES[text] for i, text in enumerate(parts)]
        return "".join(kept)


def _literal(value: Scalar) -> str:
    return {True: "True", False: "False"}[value] if isinstance(value, bool) else json_text(value)
