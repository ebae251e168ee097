"""What a record looks like without anything that it says: field names and kinds of values, never the values."""

from __future__ import annotations

import re
from typing import Any

import orjson

from schemas.tracking_plan import EVENT_TYPES

_MOST_FIELDS = 12
_DEEPEST = 3
# A field's name is part of the structure, unless it looks like something that a person entered or that names a person.
_NAME = re.compile(r"[A-Za-z_$][A-Za-z_$ -]*[0-9]{0,3}")
_LONGEST_NAME = 40


def structure_of(raw: bytes) -> str:
    """One line: `{messageId: text, type: track, properties: {total: number}}`; for what is no JSON, its size."""
    try:
        record = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return f"{len(raw):,} bytes that are not JSON"
    return _shown(record, 0)


def without_names(error: str) -> str:
    """An error, `<JSON pointer>: <what was expected>`, its pointer without names that a person may have entered."""
    pointer, separator, expected = error.partition(":")
    shown = "/".join(part if not part or part.isdigit() else _name(part) for part in pointer.split("/"))
    return f"{shown or '(the record)'}{separator}{expected}"


def _shown(value: Any, depth: int) -> str:
    if isinstance(value, dict):
        return _object(value, depth)
    if isinstance(value, list):
        return f"[{_shown(value[0], depth + 1)}, ...]" if value and depth < _DEEPEST else "[...]" if value else "[]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    return "text" if isinstance(value, str) else "number"


def _object(value: dict[str, Any], depth: int) -> str:
    if depth >= _DEEPEST:
        return "{...}" if value else "{}"
    fields = [f"{_name(name)}: {_field(name, item, depth)}" for name, item in list(value.items())[:_MOST_FIELDS]]
    fields += ["..."] if len(value) > _MOST_FIELDS else []
    return "{" + ", ".join(fields) + "}"


def _field(name: str, value: Any, depth: int) -> str:
    # The event type is one of a handful of words of the protocol.
    return str(value) if depth == 0 and name == "type" and value in EVENT_TYPES else _shown(value, depth + 1)


def _name(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) else "(a name)"
