"""HubSpot: HubL, of Jinja's family, over the properties of `contact`.

| a block | HubL |
| --- | --- |
| `{{ profile.first_name | default: 'there' }}` | `{{ contact.firstname|default("there", true)|escape }}` |
| `a and b or c` | `a and (b or c)`: HubL groups `and` before `or` |
| `segments contains 'x'` | `"x" in contact.segments|split(";")`: checkboxes are kept as one text |
| `date: '%d.%m.%Y'` | `|datetimeformat("%d.%m.%Y")` |
"""

from __future__ import annotations

from types import MappingProxyType

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
from transforms.content.known import kind_of
from transforms.content.platforms.platform import ExpressionPlatform, json_text

_FILTERS = {"upcase": "upper", "downcase": "lower", "capitalize": "capitalize", "escape": "escape"}


class HubSpot(ExpressionPlatform):
    title = "HubSpot"
    else_if = "elif"
    own_names = MappingProxyType(
        {
            "first_name": "firstname",
            "last_name": "lastname",
            "region": "state",
            "postal_code": "zip",
            "birthday": "date_of_birth",
            "language": "hs_language",
        }
    )

    def text(self, part: Text) -> str:
        return self.other_text(part, ("{{", "{%", "{#"), lambda text: f"{{% raw %}}{text}{{% endraw %}}")

    def show(self, part: Show) -> str:
        said = self.default_as_choice(part)
        if said is not None:
            return said
        value = self._value(part.value)
        steps = [self._filter(one) for one in part.filters]
        if "escape" not in steps:
            steps.append("escape")
        return "{{ " + "|".join([value, *steps]) + " }}"

    def condition(self, condition: Condition) -> str:
        match condition:
            case And(left, right):
                return f"{self._grouped(left)} and {self._grouped(right)}"
            case Or(left, right):
                return f"{self._grouped(left)} or {self._grouped(right)}"
            case Not(inner):
                return f"not ({self.condition(inner)})"
            case Compare(field, operator, value):
                return f"{self._value(field)} {operator} {json_text(value, chr(34))}"
            case Filled(field):
                return self._filled(field)
            case Contains(field, part):
                if kind_of(field) == "list":
                    return f"{json_text(part, chr(34))} in {self._value(field)}|split(';')"
                return f"{self._value(field)} is string_containing {json_text(part, chr(34))}"
            case Member(segment):
                given = self._fields.get(segment.path)
                if given is not None:
                    return f'contact.{given} == "Y"'
                return f'"{segment.name}" in contact.segments|split(";")'

    def _grouped(self, condition: Condition) -> str:
        said = self.condition(condition)
        return f"({said})" if isinstance(condition, And | Or) else said

    def _filled(self, field: Field) -> str:
        value = self._value(field)
        # 0 is a value here, and false to HubL.
        return f"({value} or {value} == 0)" if kind_of(field) in {"number", "unknown"} else value

    def _value(self, value: Field | Scalar) -> str:
        return f"contact.{self.field(value)}" if isinstance(value, Field) else json_text(value, '"')

    def _filter(self, one: Filter) -> str:
        if one.name == "default":
            return f"default({json_text(one.arguments[0], chr(34))}, true)"
        if one.name == "date":
            return f"datetimeformat({json_text(one.arguments[0], chr(34))})"
        return _FILTERS[one.name]
