"""YAML files with the place of everything in them: keys, values, and each character of a rule's text."""

from __future__ import annotations

import codecs
import re
import stat
from collections.abc import Collection
from pathlib import Path

import yaml

from schemas.errors import DefinitionErrors, Position, Problem
from transforms.segments.language.errors import Origin, SourceFile, closest

_TAG = "tag:yaml.org,2002:"
_SHOWN_TAGS = {
    "str": "text",
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "null": "nothing",
    "timestamp": "a date",
    "seq": "a list",
    "map": "a mapping",
}
# An escape of a double-quoted YAML text, or one plain character.
_LONG_ESCAPE = re.compile(r"\\U([0-9a-fA-F]{8})")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LAST = 0x10FFFF
_UNIT = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\n[ \t]*|.)|.", re.DOTALL)


def read_source(path: Path) -> SourceFile:
    """The file's text.

    Raises:
        DefinitionErrors: it cannot be read, is no file (a pipe would never end), or is not UTF-8.
    """
    name = str(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DefinitionErrors([Problem(name, Position(), "this is no regular file")])
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, DefinitionErrors):
            raise
        reason = error.strerror if isinstance(error, OSError) else "there can be no such name"
        raise DefinitionErrors([Problem(name, Position(), f"cannot be read: {reason}")]) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DefinitionErrors([_not_utf8(name, raw, error)]) from None
    return SourceFile(name, text.replace("\r\n", "\n").replace("\r", "\n"))


def _not_utf8(name: str, raw: bytes, error: UnicodeDecodeError) -> Problem:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Problem(name, Position(), "this is UTF-16, as PowerShell's `>` writes it", expected="UTF-8")
    before = raw[: error.start]
    line_start = before.rfind(b"\n") + 1
    column = len(before[line_start:].decode("utf-8", "replace")) + 1
    position = Position(before.count(b"\n") + 1, column)
    return Problem(name, position, f"not UTF-8: {error.reason} at byte {error.start}", expected="UTF-8")


def read_mapping(source: SourceFile, known: Collection[str]) -> dict[str, yaml.Node]:
    """The values of a file that is one mapping, by key.

    Raises:
        DefinitionErrors: no YAML, no mapping; or every key that is unknown or written twice.
    """
    root = _compose(source)
    if root is not None:
        _check_characters(source, root)
    if root is None:
        raise DefinitionErrors([source.problem(Position(), "the file is empty", f"the keys {', '.join(known)}")])
    if not isinstance(root, yaml.MappingNode):
        raise wrong(source, root, "the file must be a mapping", "lines such as 'description: ...' and 'when: ...'")
    entries: dict[str, yaml.Node] = {}
    problems: list[Problem] = []
    for key, value in root.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if name in entries:
            problems += wrong(source, key, f"the key '{name}' is written twice").problems
        elif name not in known:
            expected = f"one of {', '.join(known)}"
            problems += wrong(source, key, f"unknown key '{name}'", expected, closest(name, known)).problems
        else:
            entries[name] = value
    if problems:
        raise DefinitionErrors(problems)
    return entries


def _compose(source: SourceFile) -> yaml.Node | None:
    try:
        return yaml.compose(source.text, Loader=yaml.SafeLoader)
    except RecursionError:
        raise DefinitionErrors([source.problem(Position(), "YAML: the file nests too deeply")]) from None
    except yaml.reader.ReaderError as error:
        position = source.position(error.position)
        raise DefinitionErrors([source.problem(position, "this character is not allowed in YAML")]) from None
    except (ValueError, OverflowError):
        wrong_escape = next((found for found in _LONG_ESCAPE.finditer(source.text) if int(found[1], 16) > _LAST), None)
        position = Position() if wrong_escape is None else source.position(wrong_escape.start())
        raise DefinitionErrors([source.problem(position, "there is no character of this number")]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = Position() if mark is None else source.position(mark.index)
        what = error.problem or "not YAML"
        # What ': ' in a rule on the line of its key leads to, as in property(parent: 'x').
        expected = "'>' after the key, and the text on the lines below it" if "mapping values" in what else ""
        raise DefinitionErrors([source.problem(position, f"YAML: {what}", expected)]) from None


def _check_characters(source: SourceFile, root: yaml.Node) -> None:
    """Refuses halves of characters, which no file and no table can hold."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias of one that was there before
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            if _SURROGATE.search(node.value):
                raise wrong(source, node, "this text has half a character (a surrogate)", "whole characters")
        elif isinstance(node, yaml.MappingNode):
            waiting += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def wrong(
    source: SourceFile, node: yaml.Node, message: str, expected: str = "", suggestion: str = ""
) -> DefinitionErrors:
    """An error at the start of a YAML node."""
    return DefinitionErrors([source.problem(source.position(node.start_mark.index), message, expected, suggestion)])


def kind_of(node: yaml.Node) -> str:
    """What YAML takes the node for: str, bool, int, float, null, timestamp, seq, map, or a foreign tag."""
    return str(node.tag).removeprefix(_TAG)


def shown_kind(node: yaml.Node) -> str:
    """The same in words."""
    return _SHOWN_TAGS.get(kind_of(node), f"a value with the tag {node.tag}")


def rule_text(source: SourceFile, node: yaml.ScalarNode) -> tuple[str, Origin]:
    """A rule as it was written, with the place of each of its characters.

    Lines stay lines, also where YAML would fold them, so that a comment ends at the end of its line.
    """
    start, end = node.start_mark.index, node.end_mark.index
    raw = source.text[start:end]
    if node.style in ("|", ">"):
        header = raw.find("\n") + 1 or len(raw)
        return raw[header:], Origin(source, range(start + header, end))
    if node.style == "'":
        return _unquote(source, start + 1, raw[1:-1], re.compile(r"''|.", re.DOTALL))
    if node.style == '"':
        return _unquote(source, start + 1, raw[1:-1], _UNIT)
    return raw, Origin(source, range(start, end))


def _unquote(source: SourceFile, start: int, raw: str, unit: re.Pattern[str]) -> tuple[str, Origin]:
    characters: list[str] = []
    indexes: list[int] = []
    for match in unit.finditer(raw):
        meaning = _meaning(match[0])
        characters.append(meaning)
        indexes.extend([start + match.start()] * len(meaning))
    return "".join(characters), Origin(source, indexes)


def _meaning(unit: str) -> str:
    if unit == "''":
        return "'"
    if not unit.startswith("\\") or len(unit) == 1:
        return unit
    if unit[1] == "\n":
        return ""
    return str(yaml.safe_load(f'"{unit}"'))
