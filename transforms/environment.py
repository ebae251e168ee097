"""`$NAME` and `${NAME}` in the texts of definition files: variables of the environment. `$$` is a dollar sign. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*)|(\$))")


def with_variables(text: str, environment: Mapping[str, str], missing: Callable[[str], Exception]) -> str:
    """The text with its variables put in.

    >>> with_variables("Bearer $KEY costs $$5", {"KEY": "abc"}, KeyError)
    'Bearer abc costs $5'

    Raises:
        Exception: what `missing` makes of the name of a variable that is not set, or empty.
    """

    def value(match: re.Match[str]) -> str:
        if match[3]:
            return "$"
        name = match[1] or match[2]
        if not environment.get(name):
            raise missing(name)
        return environment[name]

    return _VARIABLE.sub(value, text)
