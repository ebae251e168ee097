"""Each platform's family of engine, given a person's data as activation pushes it; where none is open, one of ours.

| platform | engine |
| --- | --- |
| Customer.io, Braze | python-liquid; Braze's `{{${x}}}` and `custom_attribute.${x}` are turned into names first |
| HubSpot | Jinja, with HubSpot's `split` and `string_containing` |
| Klaviyo | Django's templates, with Klaviyo's `lookup` |
| Mailchimp | an interpreter of merge tags, below |

SendGrid's Handlebars is run with the real package in tests/integration/test_content_engines.py.
"""

import re
from typing import Any

import django.conf
import django.template
import jinja2
import liquid
from django.template.library import Library

from transforms.content.render import Person, written


def data_of(person: Person) -> dict[str, Any]:
    """A person's values under their own names; a computed trait stands beside the traits. What is missing is null."""
    return {"first_name": None, "city": None, "age": None, "orders": None, **person.computed, **person.profile}


def render_customerio(source: str, person: Person) -> str:
    customer = {**data_of(person), "segments": sorted(person.segments)}
    return liquid.Environment().from_string(source).render(customer=customer)


def render_braze(source: str, person: Person) -> str:
    names = {"first_name": "first_name", "city": "city", "email_address": "email", "country": "country"}
    standard = re.sub(r"(?<!\.)\$\{(\w+)\}", lambda found: f"customer.{names[found[1]]}", source)
    plain = re.sub(r"custom_attribute\.\$\{([\w.]+)\}", r"customer.\1", standard)
    inside = re.sub(r"\{%.*?%\}", lambda tag: re.sub(r"\{\{(.*?)\}\}", r"\1", tag[0]), plain)
    return render_customerio(inside, person)


def render_hubspot(source: str, person: Person) -> str:
    # No autoescape: HubL has none. An undefined property is null.
    environment = jinja2.Environment(undefined=jinja2.ChainableUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701
    environment.filters["split"] = lambda value, mark: (
        (value or "").split(mark) if not isinstance(value, list) else value
    )
    environment.tests["string_containing"] = lambda value, part: isinstance(value, str) and part in value
    environment.filters["escape"] = lambda value: jinja2.utils.markupsafe.escape(_text(value))
    contact = {**data_of(person), "segments": ";".join(sorted(person.segments))}
    contact = {name: _Null() if value is None else value for name, value in contact.items()}
    contact |= {"firstname": contact.get("first_name"), "lastname": contact.get("last_name")}
    environment.globals["true"], environment.globals["false"] = True, False
    return environment.from_string(source).render(contact=contact)


class _Null(jinja2.Undefined):
    """HubL's null: nothing is less or greater than it, where Python's None raises."""

    def _never(self, _other: object) -> bool:
        return False

    __lt__ = __le__ = __gt__ = __ge__ = _never


def _text(value: Any) -> str:
    return "" if isinstance(value, jinja2.Undefined) else written(value)


if not django.conf.settings.configured:
    django.conf.settings.configure(USE_I18N=False)
_LIBRARY = Library()
_LIBRARY.filter("lookup", lambda value, name: value.get(name) if isinstance(value, dict) else None)


def render_klaviyo(source: str, person: Person) -> str:
    engine = django.template.Engine(string_if_invalid="")
    engine.template_builtins.append(_LIBRARY)
    data = {name: _as_pushed(value) for name, value in data_of(person).items()}
    whole = {**data, "segments": sorted(person.segments)}
    context = django.template.Context(
        {"person": whole, "first_name": data.get("first_name"), "email": data.get("email")}
    )
    return engine.from_string(source).render(context).replace("None", "")


def _as_pushed(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def render_mailchimp(source: str, person: Person, fields: dict[str, str]) -> str:
    """Merge tags: `*|TAG|*`, `*|UPPER:TAG|*`, `*|IF:TAG|*`, `*|IF:TAG>=3|*`, ELSEIF, ELSE, `*|END:IF|*`."""
    values = {field: written(data_of(person).get(path.rpartition(".")[2])) for path, field in fields.items()}
    for path, field in fields.items():
        if path.startswith("segments."):
            values[field] = "Y" if path.removeprefix("segments.") in person.segments else ""
    return "".join(_merged(_tokens(source), values))


def _tokens(source: str) -> list[str]:
    return re.split(r"(\*\|.*?\|\*)", source)


def _merged(tokens: list[str], values: dict[str, str]) -> list[str]:
    shown: list[str] = []
    ways: list[tuple[bool, bool]] = []  # of each open IF: whether this branch is shown, and whether one was
    for token in tokens:
        tag = token[2:-2] if token.startswith("*|") else None
        visible = all(way for way, _ in ways)
        if tag is None:
            shown.append(token if visible else "")
        elif tag.startswith("IF:"):
            holds = _asked(tag[3:], values)
            ways.append((holds, holds))
        elif tag.startswith("ELSEIF:"):
            _, was = ways.pop()
            holds = not was and _asked(tag[7:], values)
            ways.append((holds, was or holds))
        elif tag == "ELSE:":
            _, was = ways.pop()
            ways.append((not was, True))
        elif tag == "END:IF":
            ways.pop()
        elif visible:
            name, _, field = tag.rpartition(":")
            text = values[field]
            shown.append(_escape(text.upper() if name == "UPPER" else text.lower() if name == "LOWER" else text))
    assert not ways, "an IF is left open"
    return shown


def _escape(text: str) -> str:
    return str(jinja2.utils.markupsafe.escape(text))


def _asked(question: str, values: dict[str, str]) -> bool:
    parts = re.fullmatch(r"(\w+?)(>=|<=|!=|=|<|>)(.*)", question)
    if parts is None:
        return values[question] != ""
    left, operator, right = values[parts[1]], parts[2], parts[3]
    if operator in {"=", "!="}:
        return (left == right) == (operator == "=")
    a, b = float(left or 0), float(right)
    return {">=": a >= b, "<=": a <= b, "<": a < b, ">": a > b}[operator]
