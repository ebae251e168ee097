"""One YAML file -> one definition, its names not yet resolved and its types not yet checked."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import yaml

from schemas.errors import DefinitionErrors
from transforms.segments.language import ast, literals
from transforms.segments.language.errors import Origin, SourceFile, closest, gather
from transforms.segments.language.members import read_members
from transforms.segments.language.parser import parse_condition, parse_scalar
from transforms.segments.language.yaml_source import (
    kind_of,
    read_mapping,
    read_source,
    rule_text,
    shown_kind,
    wrong,
)

Tree = TypeVar("Tree")
SUFFIXES = (".yaml", ".yml")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_ENTITY = re.compile(r"&(?:[a-z]+|#[0-9]+|#x[0-9a-fA-F]+);")
_SUBJECTS = ("users", "accounts")
_MEMBERSHIP_KEYS = ("when", "members", "members_file")
_DURATION = "a whole number and a unit, such as 14 days"
_INSTANT = "an ISO 8601 instant with a zone, such as 2027-06-30T00:00:00Z"


def read_segment(source: SourceFile) -> ast.SegmentDefinition:
    """The segment that a file defines, its name that of the file.

    Raises:
        DefinitionErrors: everything that is wrong with the file.
    """
    entries = read_mapping(source, tuple(_SEGMENT_KEYS))
    parts: list[Callable[[], Any]] = [partial(_one_way_to_belong, source, entries)]
    parts += [partial(_SEGMENT_KEYS[key], source, node) for key, node in entries.items()]
    values = dict(zip(entries, gather(parts)[1:], strict=True))
    if values.get("of") == "accounts":
        _refuse_keys_of_people(source, entries)
    members = values.pop("members_file", values.pop("members", None))
    description, when = values.pop("description", ""), values.pop("when", None)
    return ast.SegmentDefinition(Path(source.name).stem, description, when, members, file=source.name, **values)


def _refuse_keys_of_people(source: SourceFile, entries: dict[str, yaml.Node]) -> None:
    for key in ("members", "members_file", "anonymous", "consent"):
        if key in entries:
            message = f"a segment of accounts has no '{key}': that is about people"
            raise wrong(source, entries[key], message, "when, expires, max_membership or reentry_after")


def read_trait(source: SourceFile) -> ast.TraitDefinition:
    """The computed trait that a file defines. As `read_segment`."""
    entries = read_mapping(source, tuple(_TRAIT_KEYS))
    parts: list[Callable[[], Any]] = [partial(_has_value, source, entries)]
    parts += [partial(_TRAIT_KEYS[key], source, node) for key, node in entries.items()]
    values = dict(zip(entries, gather(parts)[1:], strict=True))
    name, of = Path(source.name).stem, values.get("of", "users")
    return ast.TraitDefinition(name, values.get("description", ""), values["value"], of, file=source.name)


def _one_way_to_belong(source: SourceFile, entries: dict[str, yaml.Node]) -> None:
    given = [key for key in entries if key in _MEMBERSHIP_KEYS]
    if not given:
        raise DefinitionErrors(
            [source.problem(ast.Position(), "the segment says not who belongs to it", "a key 'when'")]
        )
    if len(given) > 1:
        message = f"the segment has {' and '.join(given)}; it can have only one of them"
        raise wrong(source, entries[given[1]], message, f"one of {', '.join(_MEMBERSHIP_KEYS)}")


def _has_value(source: SourceFile, entries: dict[str, yaml.Node]) -> None:
    if "value" not in entries:
        raise DefinitionErrors([source.problem(ast.Position(), "the computed trait has no value", "a key 'value'")])


def _rule(source: SourceFile, node: yaml.Node) -> tuple[str, Origin]:
    if not isinstance(node, yaml.ScalarNode) or kind_of(node) not in ("str", "null"):
        raise wrong(source, node, f"a rule is text, not {shown_kind(node)}", "'>' and the rule on the lines below")
    text, origin = rule_text(source, node)
    if not text.strip():
        raise wrong(source, node, "the rule is empty", "an expression such as event('NAME').count() >= 1")
    return text, origin


def _parsed(parse: Callable[[str, Origin], Tree], source: SourceFile, node: yaml.Node) -> Tree:
    text, origin = _rule(source, node)
    try:
        return parse(text, origin)
    except DefinitionErrors:
        found = _ENTITY.search(_QUOTED.sub(lambda quoted: " " * len(quoted[0]), text))
        if found is None:
            raise
        problem = source.problem(
            origin.position(found.start()),
            f"{found[0]} is how HTML writes it",
            suggestion=f"'{html.unescape(found[0])}'",
        )
        raise DefinitionErrors([problem]) from None


def _when(source: SourceFile, node: yaml.Node) -> ast.Condition:
    return _parsed(parse_condition, source, node)


def _value(source: SourceFile, node: yaml.Node) -> ast.Scalar:
    return _parsed(parse_scalar, source, node)


def _text(source: SourceFile, node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode) or kind_of(node) != "str":
        raise wrong(source, node, f"this is {shown_kind(node)}", "text; quotes make anything text")
    return str(node.value).strip()


def _flag(source: SourceFile, node: yaml.Node) -> bool:
    if not isinstance(node, yaml.ScalarNode) or kind_of(node) != "bool":
        raise wrong(source, node, f"this is {shown_kind(node)}", "true or false")
    return node.value.lower() in ("true", "yes", "on")


def _scalar_text(source: SourceFile, node: yaml.Node, expected: str) -> str:
    """A value as it was written, whatever YAML takes it for."""
    if not isinstance(node, yaml.ScalarNode) or kind_of(node) == "null":
        raise wrong(source, node, f"this is {shown_kind(node)}", expected)
    return str(node.value)


def _duration(source: SourceFile, node: yaml.Node) -> int:
    text = _scalar_text(source, node, _DURATION)
    try:
        duration = literals.parse_duration(text)
    except ValueError as error:
        raise wrong(source, node, str(error), _DURATION) from None
    if not duration:
        raise wrong(source, node, "this duration must be longer than nothing", _DURATION)
    return duration


def _instant(source: SourceFile, node: yaml.Node) -> int:
    text = _scalar_text(source, node, _INSTANT)
    try:
        # YAML allows a space before the zone, ISO 8601 does not.
        return literals.parse_instant(text.replace(" Z", "Z").replace(" +", "+").replace(" -", "-"), needs_zone=True)
    except ValueError as error:
        raise wrong(source, node, str(error), _INSTANT) from None


def _items(source: SourceFile, node: yaml.Node, example: str) -> list[str]:
    if not isinstance(node, yaml.SequenceNode):
        raise wrong(source, node, f"this is {shown_kind(node)}", f"a list, such as {example}")
    return gather(partial(_item, source, item) for item in node.value)


def _item(source: SourceFile, node: yaml.Node) -> str:
    text = _scalar_text(source, node, "text").strip()
    if not text:
        raise wrong(source, node, "this is empty", "text")
    return text


def _purposes(source: SourceFile, node: yaml.Node) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_items(source, node, "[marketing]")))


def _members(source: SourceFile, node: yaml.Node) -> frozenset[str]:
    return frozenset(_items(source, node, "[u_1, u_2]"))


def _members_file(source: SourceFile, node: yaml.Node) -> frozenset[str]:
    """The user ids of a CSV file in the folder of the YAML file, or below it (members.py)."""
    name = _text(source, node)
    folder = Path(source.name).parent
    path = folder / name
    if not _is_inside(path, folder):
        message = f"the members file {name} is not in the folder of this file"
        raise wrong(source, node, message, "a CSV file beside this one")
    try:
        text = read_source(path).text
    except DefinitionErrors as errors:
        problem = errors.problems[0]
        message = f"the members file {path}: {problem.message}"
        raise wrong(source, node, message, problem.expected or "a CSV file beside this one") from None
    return read_members(SourceFile(str(path), text))


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether the path, links followed, is in the folder: nothing else is read because a definition names it."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # no name at all, or links in a circle
        return "\0" in str(path)  # who reads it says so


def _of(source: SourceFile, node: yaml.Node) -> str:
    text = _text(source, node)
    if text not in ("users", "accounts"):
        raise wrong(source, node, f"unknown definition type '{text}'", "users or accounts", closest(text, _SUBJECTS))
    return text


_Reader = Callable[[SourceFile, yaml.Node], Any]
_SEGMENT_KEYS: dict[str, _Reader] = {
    "description": _text,
    "when": _when,
    "members": _members,
    "members_file": _members_file,
    "expires": _instant,
    "max_membership": _duration,
    "reentry_after": _duration,
    "anonymous": _flag,
    "consent": _purposes,
    "of": _of,
}
_TRAIT_KEYS: dict[str, _Reader] = {"description": _text, "value": _value, "of": _of}
SEGMENT_KEYS = tuple(_SEGMENT_KEYS)
TRAIT_KEYS = tuple(_TRAIT_KEYS)
