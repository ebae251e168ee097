"""Templates of a REST request: `{{ name }}` in paths, headers and bodies.

A text that is nothing but one `{{ name }}` becomes the value itself, of whatever type; inside a longer text the value
is written into it. In a path it is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

_SLOT = re.compile(r"\{\{\s*([\w.:$-]+)\s*\}\}")


def names_in(template: Any) -> Iterator[str]:
    """Every name that a template uses."""
    if isinstance(template, Mapping):
        for value in template.values():
            yield from names_in(value)
    elif isinstance(template, list):
        for item in template:
            yield from names_in(item)
    elif isinstance(template, str):
        yield from _SLOT.findall(template)


def fill(template: Any, value_of: Callable[[str], Any]) -> Any:
    """The template with its values in place.

    >>> fill({"id": "{{ user_id }}", "hello": "Dear {{ name }}"}, {"user_id": 7, "name": "Ada"}.get)
    {'id': 7, 'hello': 'Dear Ada'}
    """
    if isinstance(template, Mapping):
        return {name: fill(value, value_of) for name, value in template.items()}
    if isinstance(template, list):
        return [fill(item, value_of) for item in template]
    if not isinstance(template, str):
        return template
    whole = _SLOT.fullmatch(template.strip())
    return value_of(whole[1]) if whole else _SLOT.sub(lambda slot: _text(value_of(slot[1])), template)


def fill_path(template: str, value_of: Callable[[str], Any]) -> str:
    """A path with its values in place, escaped.

    >>> fill_path("/customers/{{ user_id }}/orders", {"user_id": "a/b"}.get)
    '/customers/a%2Fb/orders'
    """
    return _SLOT.sub(lambda slot: quote(_text(value_of(slot[1])), safe=""), template)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
