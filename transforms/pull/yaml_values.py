"""Values of a source's file, each with an error at its place. `$NAME` in a text is a variable of the environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import yaml

from schemas.errors import DefinitionErrors, Problem
from transforms.environment import node_with_variables
from transforms.pull.paths import steps_of
from transforms.segments.language.errors import SourceFile, closest, gather
from transforms.segments.language.literals import parse_duration
from transforms.segments.language.yaml_source import kind_of, shown_kind, wrong

Steps = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the nodes of one file.

    Args:
        source: the file.
        environment: variables by name.
    """

    source: SourceFile
    environment: Mapping[str, str]

    def wrong(self, node: yaml.Node, message: str, expected: str = "", suggestion: str = "") -> DefinitionErrors:
        return wrong(self.source, node, message, expected, suggestion)

    def mapping(self, node: yaml.Node, known: Collection[str] | None, what: str) -> dict[str, yaml.Node]:
        """The values of a mapping by key; `known` are the keys that it may have, None: any.

        Raises:
            DefinitionErrors: no mapping; every key that is unknown or written twice.
        """
        if not isinstance(node, yaml.MappingNode):
            expected = f"the keys {', '.join(known)}" if known else "NAME: VALUE lines"
            raise self.wrong(node, f"{what} is a mapping, this is {shown_kind(node)}", expected)
        entries: dict[str, yaml.Node] = {}
        problems: list[Problem] = []
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            if name in entries:
                problems += self.wrong(key, f"the key '{name}' is written twice").problems
            elif known is not None and name not in known:
                expected = f"one of {', '.join(known)}"
                problems += self.wrong(key, f"unknown key '{name}' in {what}", expected, closest(name, known)).problems
            else:
                entries[name] = value
        if problems:
            raise DefinitionErrors(problems)
        return entries

    def scalar(self, node: yaml.Node, expected: str) -> str:
        """A value as it was written, its variables put in."""
        if not isinstance(node, yaml.ScalarNode) or kind_of(node) == "null" or not str(node.value).strip():
            raise self.wrong(node, f"this is {shown_kind(node)}" if node.value else "this is empty", expected)
        return node_with_variables(self.source, node, str(node.value).strip(), self.environment)

    def choice(self, node: yaml.Node, choices: Sequence[str], what: str) -> str:
        text = self.scalar(node, f"one of {', '.join(choices)}")
        if text not in choices:
            expected = f"one of {', '.join(choices)}"
            raise self.wrong(node, f"unknown {what} '{text}'", expected, closest(text, choices))
        return text

    def flag(self, node: yaml.Node) -> bool:
        if not isinstance(node, yaml.ScalarNode) or kind_of(node) != "bool":
            raise self.wrong(node, f"this is {shown_kind(node)}", "true or false")
        return str(node.value).lower() in ("true", "yes", "on")

    def number(self, node: yaml.Node, least: int, most: int) -> int:
        expected = f"a whole number from {least} to {most}"
        text = self.scalar(node, expected)
        if not re.fullmatch(r"\d{1,9}", text) or not least <= int(text) <= most:
            raise self.wrong(node, f"'{text}' is none", expected)
        return int(text)

    def duration(self, node: yaml.Node) -> int:
        expected = "a whole number and a unit, such as 1 hour"
        try:
            return parse_duration(self.scalar(node, expected))
        except ValueError as error:
            raise self.wrong(node, str(error), expected) from None

    def path(self, node: yaml.Node) -> Steps:
        """`customer.id`; `.` is the row itself."""
        if not isinstance(node, yaml.ScalarNode) or kind_of(node) == "null":
            raise self.wrong(node, f"this is {shown_kind(node)}", "a path, such as customer.id")
        if node.value == ".":
            return ()
        try:
            return steps_of(str(node.value))
        except ValueError as error:
            raise self.wrong(node, str(error), "a path, such as customer.id; '.' is the row itself") from None

    def paths(self, node: yaml.Node) -> tuple[Steps, ...]:
        """A path, or a list of them: the first that has a value counts."""
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not items:
            raise self.wrong(node, "this list is empty", "a path, such as customer.id")
        return tuple(gather(partial(self.path, item) for item in items))

    def texts(self, node: yaml.Node, what: str) -> dict[str, str]:
        """Names and texts."""
        entries = self.mapping(node, None, what)
        values = gather(partial(self.scalar, value, "text") for value in entries.values())
        return dict(zip(entries, values, strict=True))

    def literals(self, node: yaml.Node) -> tuple[Any, ...]:
        """A value, or a list of them, as JSON has them."""
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        return tuple(self.literal(item) for item in items)

    def literal(self, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise self.wrong(node, f"this is {shown_kind(node)}", "text, a number, or true or false")
        value = yaml.safe_load(node.value) if kind_of(node) in ("int", "float", "bool") else node.value
        return node_with_variables(self.source, node, value, self.environment) if isinstance(value, str) else value

    def required(self, node: yaml.Node, entries: Mapping[str, yaml.Node], names: Iterable[str], what: str) -> None:
        """Raises unless all names are there."""
        missing = [name for name in names if name not in entries]
        if missing:
            raise self.wrong(node, f"{what} has no {' and no '.join(missing)}", f"a key '{missing[0]}'")

    def read(
        self, entries: Mapping[str, yaml.Node], readers: Mapping[str, Callable[[yaml.Node], Any]]
    ) -> dict[str, Any]:
        """Every entry by its reader; the errors of all of them at once."""
        values = gather(partial(readers[name], node) for name, node in entries.items())
        return dict(zip(entries, values, strict=True))
