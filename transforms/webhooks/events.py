"""A vendor's call -> events. The same call gives the same message ids, whenever and however often it comes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

import orjson

from transforms.collect.bodies import BodyError, parse_json
from transforms.pull.mapping import as_text, make_object
from transforms.pull.paths import value_at
from transforms.webhooks.definition import Rule, WebhookDefinition
from transforms.webhooks.signatures import Call

HEADER, QUERY = "_header", "_query"
"""What an item has besides its own fields, for paths: `_header.x-shopify-topic`."""
_MOST_FIELDS = 10_000
_DEEPEST = 20


def call_events(definition: WebhookDefinition, call: Call, received_at: str) -> list[dict[str, Any]]:
    """The events of a call. What no rule speaks of becomes none.

    Raises:
        BodyError: the body is not what it should be.
    """
    body = _form(call.body) if definition.body == "form" else parse_json(call.body)
    unreadable: Counter[str] = Counter()
    events = []
    for item in _items(definition, body):
        row = {**item, HEADER: call.headers, QUERY: call.query} if isinstance(item, dict) else {"_item": item}
        name = _identity(definition, row, item)
        for number, rule in enumerate(definition.rules):
            if _speaks_of(rule, row):
                events.append(_event(rule, row, item, name + (f":{number}" if number else ""), received_at, unreadable))
    return events


def _event(
    rule: Rule, row: dict[str, Any], item: Any, name: str, received_at: str, unreadable: Counter[str]
) -> dict[str, Any]:
    if rule.fields is None:
        own = dict(item) if isinstance(item, dict) else {}
        own.pop("writeKey", None)
        return {**own, "messageId": own.get("messageId") or name, "receivedAt": received_at}
    return {**make_object(rule.fields, row, unreadable), "messageId": name, "receivedAt": received_at}


def _items(definition: WebhookDefinition, body: Any) -> Iterable[Any]:
    if definition.items is None:
        return [body]
    found = value_at(body, definition.items)
    if found is None:
        found = body
    return found if isinstance(found, list) else [found]


def _speaks_of(rule: Rule, row: dict[str, Any]) -> bool:
    return all(_text(value_at(row, steps)) in values for steps, values in rule.when)


def _text(value: Any) -> str | None:
    try:
        return as_text(value)
    except ValueError:
        return None


def _identity(definition: WebhookDefinition, row: dict[str, Any], item: Any) -> str:
    values = [_text(value_at(row, steps)) for steps in definition.identity]
    if not definition.hashed:
        found = next((value for value in values if value), None)
        if found is not None:
            return found
    content = orjson.dumps(values if any(values) else item, option=orjson.OPT_SORT_KEYS)
    return f"{definition.name}-{hashlib.sha256(content).hexdigest()[:40]}"


def _form(body: bytes) -> dict[str, Any]:
    """A form as an object: `data[merges][FNAME]=x` nests."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise BodyError(400, "malformed_form", "the body is no form") from None
    form: dict[str, Any] = {}
    for name, value in pairs:
        first, *rest = name.split("[")
        steps = [first, *(step.removesuffix("]") for step in rest[:_DEEPEST])]
        place = form
        for step in steps[:-1]:
            inner = place.setdefault(step, {})
            if not isinstance(inner, dict):
                break
            place = inner
        else:
            place[steps[-1]] = value
    return form
