"""Values inside a JSON row, by path: `customer.id`, `lines.0.price`; a point in a name has a backslash before it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_STEP = re.compile(r"(?:\\.|[^.\\])+")


def steps_of(path: str) -> tuple[str, ...]:
    r"""The names of a path.

    >>> steps_of(r"meta.a\.b.0")
    ('meta', 'a.b', '0')

    Raises:
        ValueError: a name is empty.
    """
    found = tuple(re.sub(r"\\(.)", r"\1", step) for step in _STEP.findall(path))
    if not found or path.startswith(".") or path.endswith(".") or ".." in path:
        raise ValueError(f"{path!r} is no path")
    return found


def value_at(value: Any, steps: Sequence[str]) -> Any:
    """What is there; None where nothing is.

    >>> value_at({"lines": [{"price": 3}]}, ("lines", "0", "price"))
    3
    """
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def put_at(target: dict[str, Any], steps: Sequence[str], value: Any) -> None:
    """Sets a value, with the objects on the way to it."""
    for step in steps[:-1]:
        target = target.setdefault(step, {})
    target[steps[-1]] = value
