"""The version of a definition: a hash that changes with its meaning, and with nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any, TypeVar

from transforms.segments.language import ast

_Definition = TypeVar("_Definition", bound=ast.SegmentDefinition | ast.TraitDefinition)
_NO_MEANING = frozenset({"name", "description", "version", "file", "position"})


def with_version(definition: _Definition) -> _Definition:
    """The definition with its `version` set: 16 hexadecimal digits.

    White space, comments, places, the file and the description do not change it. What the definitions it refers to
    say does not either: they have versions of their own.
    """
    text = json.dumps(_canonical(definition), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return dataclasses.replace(definition, version=hashlib.sha256(text.encode()).hexdigest()[:16])


def _canonical(value: Any) -> Any:
    """JSON that differs wherever the value differs: nodes by name, `true` apart from 1."""
    if dataclasses.is_dataclass(value):
        skipped = _names_to_skip(value)
        fields = [field.name for field in dataclasses.fields(value) if field.name not in skipped]
        return [type(value).__name__, {name: _canonical(getattr(value, name)) for name in fields}]
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_canonical(item) for item in value]
    return value


def _names_to_skip(value: Any) -> frozenset[str]:
    is_definition = isinstance(value, ast.SegmentDefinition | ast.TraitDefinition)
    if not is_definition:
        return frozenset({"position"})
    # What says nothing new leaves the versions of older definitions as they are.
    return _NO_MEANING | {"of"} if value.of == "users" else _NO_MEANING
