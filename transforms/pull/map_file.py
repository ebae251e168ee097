"""`map:` of a source's file.

A field's value is a path (`customer.id`), a list of paths of which the first with a value counts, or one of these:

| form | gives |
| --- | --- |
| `{value: TEXT}` | that value |
| `{text: PATH}` | the value as text |
| `{number: PATH}` | as a number |
| `{date: PATH, zone: Europe/Berlin, order: dmy}` | ISO 8601, UTC |
| `{money: PATH, minor: true, currency: PATH, exponent: 2, decimal: ","}` | a number in the main unit |
| `{currency: PATH}` | an ISO 4217 code |
| `{category: PATH, separator: ">"}` | a list of names |
| `{hash: PATH}` | a stable name that tells nothing |
| `{choose: PATH, from: {paid: Order Completed}}` | what the table says |
| `{each: PATH, map: {...}}` | a list of objects |

Each but `value` and `each` takes `unless: [0, guest]`: values that count as none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import tzinfo
from functools import partial
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from transforms.pull import mapping
from transforms.pull.categories import read_category
from transforms.pull.dates import DayOrder, iso_text, read_date
from transforms.pull.mapping import Field
from transforms.pull.money import DecimalMark, read_amount, read_currency
from transforms.pull.paths import value_at
from transforms.pull.yaml_values import Reader
from transforms.segments.language.errors import closest, gather

OBJECTS = ("properties", "traits", "context")
"""Fields of the envelope that are mappings of fields themselves."""
ENVELOPE = (
    "type",
    "event",
    "name",
    "userId",
    "anonymousId",
    "groupId",
    "previousId",
    "timestamp",
    "category",
    *OBJECTS,
)
LITERALS = ("type", "event", "name")
"""Fields whose text is the value itself, and no path."""
TYPES = ("track", "identify", "page", "screen", "group", "alias")

_OPTIONS: dict[str, tuple[str, ...]] = {
    "value": (),
    "path": ("unless",),
    "text": ("unless",),
    "number": ("unless",),
    "date": ("zone", "order", "unless"),
    "money": ("minor", "currency", "exponent", "decimal", "unless"),
    "currency": ("unless",),
    "category": ("separator", "unless"),
    "hash": ("unless",),
    "choose": ("from", "unless"),
    "each": ("map",),
}
_PLAIN = {"text": mapping.as_text, "number": mapping.as_number, "hash": mapping.as_hash, "currency": read_currency}


def read_map(reader: Reader, node: yaml.Node) -> tuple[Field, ...]:
    """The fields of the event.

    Raises:
        DefinitionErrors: everything that is wrong with them.
    """
    entries = reader.mapping(node, ENVELOPE, "map")
    reader.required(node, entries, ("type", "timestamp"), "map")
    parts: list[Callable[[], tuple[Field, ...]]] = [
        partial(_envelope_field, reader, name, value) for name, value in entries.items()
    ]
    fields = tuple(field for of_entry in gather(parts) for field in of_entry)
    if not {"userId", "anonymousId"} & entries.keys():
        raise reader.wrong(node, "map says not whose event it is", "a key 'userId' or 'anonymousId'")
    return fields


def _envelope_field(reader: Reader, name: str, node: yaml.Node) -> tuple[Field, ...]:
    if name in OBJECTS:
        return _object(reader, node, name, (name,))
    if name == "type" and isinstance(node, yaml.ScalarNode):
        return (Field((name,), constant=reader.choice(node, TYPES, "type of event")),)
    if name in LITERALS and isinstance(node, yaml.ScalarNode):
        return (Field((name,), constant=reader.scalar(node, "text")),)
    field = _field(reader, (name,), node)
    if name in ("userId", "anonymousId", "groupId", "previousId") and field.read is None and field.constant is None:
        return (replace(field, read=mapping.as_text),)  # an id is text, a shop's number, too
    return (field,)


def _object(reader: Reader, node: yaml.Node, what: str, below: tuple[str, ...]) -> tuple[Field, ...]:
    entries = reader.mapping(node, None, what)
    parts = [partial(_named, reader, below, name, value) for name, value in entries.items()]
    return tuple(gather(parts))


def _named(reader: Reader, below: tuple[str, ...], name: str, node: yaml.Node) -> Field:
    return _field(reader, (*below, *name.split(".")), node)


def _field(reader: Reader, target: tuple[str, ...], node: yaml.Node) -> Field:
    if not isinstance(node, yaml.MappingNode):
        return Field(target, reader.paths(node))
    kinds = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value in _OPTIONS]
    kind = next((one for one in kinds if one != "currency"), kinds[0] if kinds else "")
    if not kind:
        first = node.value[0][0] if node.value else node
        given = str(first.value) if isinstance(first, yaml.ScalarNode) else ""
        expected = f"a path, or one of {', '.join(_OPTIONS)} with a path"
        raise reader.wrong(first, f"'{given}' is no way to read a value", expected, closest(given, _OPTIONS))
    entries = reader.mapping(node, (kind, *_OPTIONS[kind]), f"'{kind}'")
    if kind == "value":
        return Field(target, constant=reader.literal(entries[kind]))
    absent = reader.literals(entries["unless"]) if "unless" in entries else ()
    sources = reader.paths(entries[kind])
    if kind == "each":
        reader.required(node, entries, ("map",), "'each'")
        return Field(target, sources, items=_object(reader, entries["map"], "map", ()))
    read, with_row = _read_of(reader, kind, node, entries)
    return Field(target, sources, read, absent, with_row=with_row)


def _read_of(
    reader: Reader, kind: str, node: yaml.Node, entries: dict[str, yaml.Node]
) -> tuple[Callable[..., Any] | None, bool]:
    """What reads the value, and whether it needs the row."""
    if kind == "path":
        return None, False
    if kind in _PLAIN:
        return _PLAIN[kind], False
    if kind == "date":
        order = reader.choice(entries["order"], ("dmy", "mdy"), "order") if "order" in entries else None
        return partial(_iso, zone=_zone(reader, entries.get("zone")), order=cast("DayOrder | None", order)), False
    if kind == "category":
        separator = reader.scalar(entries["separator"], "text") if "separator" in entries else None
        return partial(read_category, separator=separator), False
    if kind == "choose":
        reader.required(node, entries, ("from",), "'choose'")
        table = reader.mapping(entries["from"], None, "from")
        return mapping.chosen({name: reader.literal(value) for name, value in table.items()}), False
    return _money(reader, entries), True


def _iso(value: Any, zone: tzinfo, order: DayOrder | None) -> str:
    return iso_text(read_date(value, zone, order))


def _zone(reader: Reader, node: yaml.Node | None) -> tzinfo:
    if node is None:
        return ZoneInfo("UTC")
    name = reader.scalar(node, "a time zone, such as Europe/Berlin")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        from zoneinfo import available_timezones

        expected = "a name of the IANA data base, such as Europe/Berlin"
        raise reader.wrong(
            node, f"unknown time zone '{name}'", expected, closest(name, available_timezones())
        ) from None


def _money(reader: Reader, entries: dict[str, yaml.Node]) -> Callable[[Any, Any], Any]:
    is_minor = "minor" in entries and reader.flag(entries["minor"])
    exponent = reader.number(entries["exponent"], 0, 6) if "exponent" in entries else None
    mark = reader.choice(entries["decimal"], (".", ","), "decimal mark") if "decimal" in entries else None
    currencies = reader.paths(entries["currency"]) if "currency" in entries else ()

    def read(value: Any, row: Any) -> int | float:
        found = next((value_at(row, steps) for steps in currencies if value_at(row, steps)), None)
        try:
            currency = read_currency(value if found is None else found)
        except ValueError:
            currency = ""
        return read_amount(
            value, minor_of=currency if is_minor else None, exponent=exponent, mark=cast("DecimalMark | None", mark)
        )

    return read
