"""A schema as nodes that are checked without a JSON Schema library: what values may be, member by member.

For reading many events at once (plain_events.py). A node says exactly what its schema says: of the
keywords that nearly all tracking plans consist of it holds the meaning itself, and for a part of a schema with any
other keyword it *asks*: the library, about the text of that value alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote, urldefrag, urljoin

import jsonschema_rs
import orjson

from schemas.tracking_plan_files import as_list
from transforms.parse.violations import refusal_of

Ask = Callable[[bytes], bool]
"""Whether the JSON text of a value is valid."""

OBJECT, ARRAY, STRING, INTEGER, FRACTION, BOOLEAN, NULL = (1 << bit for bit in range(7))
"""Kinds of values, with the numbers that _plain_events.c has. A fraction is a number with a point."""
EVERY_KIND: Final = (1 << 7) - 1
_TYPES: Final[dict[object, int]] = {
    "object": OBJECT,
    "array": ARRAY,
    "string": STRING,
    "number": INTEGER | FRACTION,
    # 1.0 is an integer, too; it is not known to be one here, and so not taken.
    "integer": INTEGER,
    "boolean": BOOLEAN,
    "null": NULL,
}
_SAYS_NOTHING: Final = frozenset(
    (
        "$schema",
        "$comment",
        "$defs",
        "title",
        "description",
        "default",
        "deprecated",
        "examples",
        "readOnly",
        "writeOnly",
    )
)
_KNOWN: Final = frozenset(("$ref", "type", "properties", "required", "items", "minLength", "allOf", "if", "then"))
_IF_OBJECT: Final = {"type": "object"}


@dataclass(frozen=True)
class Node:
    """What a value may be. None in the place of a node: anything.

    Attributes:
        kinds: of the value, as bits.
        nonempty: whether a text must have a character.
        ask: about the value's text, whatever the other fields say.
        members: name -> node of the member, and whether it has to be there; of objects.
        items: of an array's elements.
    """

    kinds: int = EVERY_KIND
    nonempty: bool = False
    ask: Ask | None = None
    members: Mapping[str, tuple[Node | None, bool]] = field(default_factory=dict)
    items: Node | None = None


class _Place(NamedTuple):
    """Where a schema stands."""

    uri: str
    pointer: str

    def inside(self, *steps: str) -> _Place:
        escaped = ("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
        return self._replace(pointer=self.pointer + "".join(escaped))


class NodeMaker:
    """Makes the nodes of schemas.

    Args:
        resources: every schema document by its URI.
        registry: the same for the library.
    """

    def __init__(self, resources: Mapping[str, Any], registry: jsonschema_rs.Registry) -> None:
        self._resources = resources
        self._registry = registry
        self._known: dict[_Place, Node | None] = {}
        self._being_made: set[_Place] = set()

    def node_of(self, schema: Any) -> Node | None:
        """Of a schema that stands in no document; its references are whole URIs."""
        return self._node(schema, None)

    def _node(self, schema: Any, place: _Place | None) -> Node | None:
        if schema is True:
            return None
        keywords = frozenset(schema) - _SAYS_NOTHING if isinstance(schema, dict) else None
        if keywords is None or not keywords <= _KNOWN:
            return self._asking(schema, place)
        parts = [self._plain(schema, place)]
        if "$ref" in keywords:
            parts.append(self._referred(schema["$ref"], place))
        parts += [
            self._node(part, _inside(place, "allOf", str(number)))
            for number, part in enumerate(schema.get("allOf", ()))
        ]
        if keywords & {"if", "then"}:
            parts.append(self._conditional(schema, place))
        node = None
        for part in parts:
            node = _both(node, part)
        return node

    def _plain(self, schema: dict[str, Any], place: _Place | None) -> Node | None:
        shortest = schema.get("minLength", 0)
        if shortest not in (0, 1):
            return self._asking(schema, place)
        kinds = EVERY_KIND
        if "type" in schema:
            kinds = reduce(or_, (_TYPES[name] for name in as_list(schema["type"])))
        required = frozenset(schema.get("required", ()))
        properties = schema.get("properties", {})
        members = {
            name: (self._node(properties[name], _inside(place, "properties", name)), name in required)
            for name in properties
        }
        members |= dict.fromkeys(required - members.keys(), (None, True))
        items = self._node(schema["items"], _inside(place, "items")) if "items" in schema else None
        node = Node(kinds, shortest == 1, None, members, items)
        return None if node == Node() else node

    def _referred(self, reference: str, place: _Place | None) -> Node | None:
        uri, pointer = urldefrag(urljoin(place.uri if place else "", reference))
        target = _Place(uri, unquote(pointer))
        if target in self._known:
            return self._known[target]
        schema = self._at(target)
        if schema is None or target in self._being_made:  # an anchor; a schema that holds itself
            return self._asking({"$ref": f"{uri}#{pointer}"}, None)
        self._being_made.add(target)
        self._known[target] = self._node(schema, target)
        self._being_made.remove(target)
        return self._known[target]

    def _at(self, place: _Place) -> Any:
        """The schema at a place that a JSON pointer names; None: it is named otherwise."""
        schema = self._resources.get(place.uri)
        if schema is None or "$id" in schema or (place.pointer and not place.pointer.startswith("/")):
            return None
        for step in place.pointer.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            schema = schema[int(name)] if isinstance(schema, list) else schema[name]
        return schema

    def _conditional(self, schema: dict[str, Any], place: _Place | None) -> Node | None:
        then = self._node(schema.get("then", True), _inside(place, "then"))
        if schema.get("if") != _IF_OBJECT or (then is not None and then.ask is not None):
            return self._asking({name: schema[name] for name in ("if", "then") if name in schema}, place)
        if then is None:
            return None
        return replace(then, kinds=then.kinds | EVERY_KIND & ~OBJECT, nonempty=False, items=None)

    def _asking(self, schema: Any, place: _Place | None) -> Node:
        """What only the library knows."""
        if place is not None:  # where it stands, so that references inside it mean what they mean there
            schema = {"$ref": f"{place.uri}#{quote(place.pointer, safe='/~')}"}
        is_valid = jsonschema_rs.Draft202012Validator(schema, registry=self._registry, offline=True).is_valid

        def ask(text: bytes) -> bool:
            try:
                return is_valid(orjson.loads(text))
            except BaseException as error:  # noqa: BLE001 - a panic of the validator is no Exception
                refusal_of(error)
                return False

        return Node(ask=ask)


def _inside(place: _Place | None, *steps: str) -> _Place | None:
    return None if place is None else place.inside(*steps)


def _both(one: Node | None, other: Node | None) -> Node | None:
    """What satisfies both."""
    if one is None or other is None:
        return one or other
    members = dict(one.members)
    for name, (node, required) in other.members.items():
        before, was_required = members.get(name, (None, False))
        members[name] = _both(before, node), required or was_required
    return Node(
        one.kinds & other.kinds,
        one.nonempty or other.nonempty,
        _both_ask(one.ask, other.ask),
        members,
        _both(one.items, other.items),
    )


def _both_ask(one: Ask | None, other: Ask | None) -> Ask | None:
    if one is None or other is None:
        return one or other
    return lambda text: one(text) and other(text)
