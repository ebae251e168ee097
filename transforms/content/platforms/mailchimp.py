"""Mailchimp: merge tags, `*|FNAME|*`, at most ten characters, and `*|IF:FNAME=Anna|*`.

| a block | Mailchimp |
| --- | --- |
| `{{ profile.first_name | default: 'there' }}` | `*|IF:FNAME|**|FNAME|**|ELSE:|*there*|END:IF|*` |
| `upcase`, `downcase` | `*|UPPER:FNAME|*`, `*|LOWER:FNAME|*` |
| `a and b` | one IF inside the other; what the ELSE of both says stands twice |
| `a or b`, `contains`, `date` | cannot be said: a flag that activation keeps in a merge field can |
| `segments contains 'x'` | tags cannot be asked; a merge field for `segments.x` in the destination's `fields:` can |

Merge fields are text: a number compares with the digits that are stored.
"""

from __future__ import annotations

import html
from types import MappingProxyType

from transforms.content.block import Compare, Contains, Field, Filled, Member, Or, Scalar, Show, Text
from transforms.content.platforms.platform import NestingPlatform

_MOST_CHARACTERS = 10
_FILTERS = {"upcase": "UPPER:", "downcase": "LOWER:"}
_OPERATORS = {"==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


class Mailchimp(NestingPlatform):
    title = "Mailchimp"
    own_names = MappingProxyType(
        {
            "first_name": "FNAME",
            "last_name": "LNAME",
            "email": "EMAIL",
            "phone": "PHONE",
            "birthday": "BIRTHDAY",
            "address": "ADDRESS",
        }
    )

    def field(self, field: Field) -> str:
        given = self._fields.get(field.path) or self.own_names.get(field.path)
        return given or field.name.replace(".", "_").upper()[:_MOST_CHARACTERS]

    def text(self, part: Text) -> str:
        if "*|" in part.text:
            at = part.at + part.text.index("*|")
            return self.refuse(at, "would take '*|' in a text for a merge tag", "write *&#124; for it")
        return part.text

    def show(self, part: Show) -> str:
        filters = [one for one in part.filters if one.name != "escape"]
        if not isinstance(part.value, Field):
            if filters:
                return self.refuse(filters[0].at, f"has no filter {filters[0].name!r}", "write the text as it shall be")
            return html.escape(str(part.value))
        prefix, default = "", None
        for one in filters:
            if one.name == "default":
                default = one.arguments[0]
            elif one.name in _FILTERS:
                prefix = _FILTERS[one.name]
            else:
                return self.refuse(
                    one.at,
                    f"has no filter {one.name!r} for merge fields",
                    "a computed trait that holds the result, pushed as a merge field: fields: {NAME: computed.NAME}",
                )
        shown = f"*|{prefix}{self.field(part.value)}|*"
        if default is None:
            return shown
        return self.ask(Filled(part.value), shown, html.escape(str(default)))

    def either(self, condition: Or, then: str, otherwise: str) -> str:
        return self.refuse(
            condition.at,
            "has no OR",
            "a computed trait or segment that says it, pushed as a merge field: fields: {SEG_X: segments.NAME}, "
            "and {% if segments contains 'NAME' %} in the block",
        )

    def ask(self, condition: Compare | Filled | Contains | Member, then: str, otherwise: str) -> str:
        match condition:
            case Filled(field):
                return _if(self.field(field), then, otherwise)
            case Compare(field, operator, value):
                said = _if(f"{self.field(field)}{_OPERATORS[operator]}{self._literal(value, field)}", then, otherwise)
                # An empty field would compare as a number too; here it compares with none.
                return said if operator in {"==", "!="} else _if(self.field(field), said, otherwise)
            case Contains(field, part):
                name = field.path
                return self.refuse(
                    field.at,
                    f"cannot ask whether {name} contains {part!r}",
                    "a segment that says it, pushed as a merge field: fields: {SEG_X: segments.NAME}",
                )
            case Member(segment):
                return self._member(segment, then, otherwise)

    def _member(self, segment: Field, then: str, otherwise: str) -> str:
        given = self._fields.get(segment.path)
        if given is None:
            flag = f"SEG_{segment.name.upper()}"[:_MOST_CHARACTERS].rstrip("_")
            return self.refuse(
                segment.at,
                "tags of contacts cannot be asked in a campaign",
                f"a merge field with Y or nothing: put {{{flag}: segments.{segment.name}}} under fields: of the "
                "destination, and name the file with --destination",
            )
        return _if(f"{given}=Y", then, otherwise)

    def _literal(self, value: Scalar, field: Field) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        text = str(value)
        if "|" in text:
            return self.refuse(field.at, f"cannot compare with {text!r}: it holds '|'", "a value without it")
        return text


def _if(question: str, then: str, otherwise: str) -> str:
    between = f"*|ELSE:|*{otherwise}" if otherwise else ""
    return f"*|IF:{question}|*{then}{between}*|END:IF|*"
