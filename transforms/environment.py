"""`$NAME` and `${NAME}` in the texts of definition files: variables of the environment. `$$` is a dollar sign. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import yaml

from schemas.errors import DefinitionErrors
from transforms.segments.language.errors import SourceFile, closest
from transforms.segments.language.yaml_source import wrong

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


def node_with_variables(source: SourceFile, node: yaml.Node, text: str, environment: Mapping[str, str]) -> str:
    """As `with_variables`, of the text of a file's node.

    Raises:
        DefinitionErrors: a variable that is not set, or empty, at the node's place.
    """

    def missing(name: str) -> DefinitionErrors:
        expected = f"{name}=... before the command"
        return wrong(source, node, f"the environment variable {name} is not set", expected, closest(name, environment))

    return with_variables(text, environment, missing)
