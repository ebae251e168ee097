"""A category's path, such as `Shoes > Running`, as a list of names from the root."""

from __future__ import annotations

import html
import re
from typing import Any

_SEPARATOR = re.compile(r"\s*(?:>|\u00bb|\u203a|\u2192|\|)\s*|\s+/\s+|(?<=\w)/(?=\w)")
_NAMES = ("name", "title", "label")


def read_category(value: Any, separator: str | None = None) -> list[str]:
    """The names.

    >>> read_category("Shoes &gt; Running"), read_category([{"name": "Shoes"}, {"name": "Running"}])
    (['Shoes', 'Running'], ['Shoes', 'Running'])

    Args:
        value: a text, a list of texts, or a list of objects with a name.
        separator: what parts the names of a text; by default any of the usual marks.

    Raises:
        ValueError: there is no name in it.
    """
    if isinstance(value, str):
        text = html.unescape(value)
        parts = text.split(separator) if separator else _SEPARATOR.split(text)
    elif isinstance(value, list):
        parts = [_name(item) for item in value]
    else:
        raise ValueError("no category")  # noqa: TRY004 - whatever the row holds, it is a bad value
    names = [part.strip() for part in parts if part.strip()]
    if not names:
        raise ValueError("no category")
    return names


def _name(item: Any) -> str:
    if isinstance(item, dict):
        item = next((item[name] for name in _NAMES if item.get(name)), "")
    return html.unescape(str(item))
