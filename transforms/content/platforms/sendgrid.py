"""SendGrid: a part of Handlebars. A helper asks one thing, so conditions nest.

| a block | SendGrid |
| --- | --- |
| `{{ profile.city | default: 'town' }}` | `{{#if city}}{{city}}{{else}}town{{/if}}`; Handlebars escapes by itself |
| `profile.city == 'Berlin'` | `{{#equals city "Berlin"}}` ... `{{else}}` ... `{{/equals}}` |
| `orders >= 3` | `{{#greaterThan}}`, or else `{{#equals}}` |
| `segments contains 'x'` | `{{#if segments.x}}`: the template's data has an object of segments |
| `date: '%d.%m.%Y'` | `{{formatDate signed_up_at "DD.MM.YYYY"}}` |

There are no filters: of `upcase`, `downcase` and `capitalize` the data must have the result.
"""

from __future__ import annotations

import html
import re

from transforms.content.block import Compare, Contains, Field, Filled, Filter, Member, Scalar, Show, Text
from transforms.content.platforms.platform import NestingPlatform, may_be_zero

_HELPERS = {"==": "equals", "!=": "notEquals", "<": "lessThan", ">": "greaterThan"}
_DATES = dict(
    zip(
        "Y m d H M S y B b A a p I -d -m".split(),
        "YYYY MM DD HH mm ss YY MMMM MMM dddd ddd A hh D M".split(),
        strict=True,
    )
)


class SendGrid(NestingPlatform):
    title = "SendGrid"

    def field(self, field: Field) -> str:
        given = self._fields.get(field.path)
        return given if given is not None else field.path

    def text(self, part: Text) -> str:
        return part.text.replace("{{", "\\{{")

    def show(self, part: Show) -> str:
        filters = [one for one in part.filters if one.name != "escape"]
        if not isinstance(part.value, Field):
            if filters:
                return self.refuse(filters[0].at, f"has no filter {filters[0].name!r}", "write the text as it shall be")
            return html.escape(str(part.value))
        shown = "{{" + self.field(part.value) + "}}"
        said, default = shown, None
        for one in filters:
            if one.name == "default":
                default = one.arguments[0]
            elif one.name == "date":
                said = self._date(part.value, one)
            else:
                computed = f"computed.{part.value.name}_{one.name}"
                return self.refuse(
                    one.at, f"has no filter {one.name!r}", f"a trait that holds the result, such as {computed}"
                )
        if default is None:
            return said
        return self.ask(Filled(part.value), said, html.escape(str(default)))

    def ask(self, condition: Compare | Filled | Contains | Member, then: str, otherwise: str) -> str:
        match condition:
            case Member(segment):
                return self._helper("if", self.field(segment), then, otherwise)
            case Filled(field):
                name = self.field(field)
                # 0 is a value here, and false to Handlebars.
                zero = self._helper("equals", f"{name} 0", then, otherwise) if may_be_zero(field) else otherwise
                return self._helper("if", name, then, zero)
            case Compare(field, ">=" | "<=" as operator, value):
                equal = self._helper("equals", f"{self.field(field)} {_literal(value)}", then, otherwise)
                return self.ask(Compare(field, operator[0], value), then, equal)  # type: ignore[arg-type]
            case Compare(field, operator, value):
                return self._helper(_HELPERS[operator], f"{self.field(field)} {_literal(value)}", then, otherwise)
            case Contains(field, part):
                what = f"a computed trait or a segment that says whether {field.path} contains {part!r}"
                return self.refuse(field.at, "cannot search in a text or a list", what)

    @staticmethod
    def _helper(name: str, arguments: str, then: str, otherwise: str) -> str:
        between = "{{else}}" + otherwise if otherwise else ""
        return f"{{{{#{name} {arguments}}}}}{then}{between}{{{{/{name}}}}}"

    def _date(self, field: Field, one: Filter) -> str:
        text = str(one.arguments[0])
        unknown = [letter for letter in re.findall(r"%(-?.)", text) if letter not in _DATES]
        if unknown:
            return self.refuse(one.at, f"dates have no %{unknown[0]}", "one of " + " ".join("%" + d for d in _DATES))
        parts = re.split(r"%(-?.)", text)
        kept = [re.sub(r"([A-Za-z]+)", r"[\1]", word) if i % 2 == 0 else _DATES[word] for i, word in enumerate(parts)]
        return f'{{{{formatDate {self.field(field)} "{"".join(kept)}"}}}}'


def _literal(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return '"' + value.replace('"', '\\"') + '"' if isinstance(value, str) else repr(value)
