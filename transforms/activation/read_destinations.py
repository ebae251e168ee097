"""A folder of YAML files -> destinations, or every error of every file at once, each with its place.

Settings may name variables of the environment, `$NAME` or `${NAME}`: secrets do not belong in files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from schemas.errors import DefinitionErrors, Position, Problem
from transforms.activation.destination import IDENTIFIERS, KINDS, Destination
from transforms.activation.fields import PREFIXES, SOURCES, problem_with
from transforms.environment import node_with_variables
from transforms.segments.language.definition_files import SUFFIXES
from transforms.segments.language.errors import SourceFile, closest, gather
from transforms.segments.language.yaml_source import kind_of, read_mapping, read_source, shown_kind, wrong

_KEYS = ("kind", "settings", "segments", "fields", "consent", "description")
_MERGE_TAG = re.compile(r"[A-Z][A-Z0-9_]{0,9}")


def read_destinations(
    folder: str | Path, environment: Mapping[str, str] | None = None, segments: Iterable[str] | None = None
) -> tuple[Destination, ...]:
    """Every destination of a folder, by name.

    Args:
        folder: of YAML files, one destination each; a file's name is the destination's.
        environment: values of `$NAME` in settings; None: they stay as they are written, for a dry run.
        segments: the names that there are; None: they are not known.

    Raises:
        DefinitionErrors: every error of every file.
    """
    place = Path(folder)
    if not place.is_dir():
        raise DefinitionErrors([Problem(str(folder), Position(), "there is no such directory")])
    files = sorted(path for path in place.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    known = None if segments is None else frozenset(segments)
    return tuple(gather(partial(_read_file, path, environment, known) for path in files))


def _read_file(path: Path, environment: Mapping[str, str] | None, segments: frozenset[str] | None) -> Destination:
    source = read_source(path)
    return read_destination(source, environment, segments)


def read_destination(
    source: SourceFile, environment: Mapping[str, str] | None, segments: frozenset[str] | None = None
) -> Destination:
    """The destination that a file describes. As `read_destinations`."""
    entries = read_mapping(source, _KEYS)
    missing = [key for key in ("kind", "settings", "segments") if key not in entries]
    if missing:
        raise DefinitionErrors([source.problem(Position(), f"the destination has no '{missing[0]}'", "such a key")])
    kind = _kind(source, entries["kind"])
    parts: list[Callable[[], Any]] = [
        partial(_settings, source, entries["settings"], kind, environment),
        partial(_segments, source, entries["segments"], segments),
        partial(_fields, source, entries.get("fields"), kind),
        partial(_names, source, entries.get("consent"), "[marketing]"),
    ]
    settings, names, fields, consent = gather(parts)
    return Destination(Path(source.name).stem, kind, settings, names, fields, consent, source.name)


def fields_of(source: SourceFile) -> dict[str, str]:
    """The `fields` of a destination's file alone; its other keys may be missing.

    Raises:
        DefinitionErrors: no mapping of a destination's keys, or a field that no destination could have.
    """
    entries = read_mapping(source, _KEYS)
    kind = _kind(source, entries["kind"]) if "kind" in entries else ""
    return _fields(source, entries.get("fields"), kind)


def _kind(source: SourceFile, node: yaml.Node) -> str:
    text = node.value if isinstance(node, yaml.ScalarNode) else ""
    if text not in KINDS:
        expected = f"one of {', '.join(KINDS)}"
        raise wrong(source, node, f"unknown kind of destination '{text}'", expected, closest(text, KINDS))
    return str(text)


def _settings(source: SourceFile, node: yaml.Node, kind: str, environment: Mapping[str, str] | None) -> dict[str, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise wrong(source, node, f"this is {shown_kind(node)}", "a mapping of settings")
    rules = KINDS[kind]
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in node.value:
        if key.value not in rules.settings:
            expected, near = f"one of {', '.join(rules.settings)}", closest(str(key.value), rules.settings)
            problems += wrong(source, key, f"unknown setting '{key.value}' of {kind}", expected, near).problems
            continue
        try:
            values[key.value] = _value(source, value, environment)
        except DefinitionErrors as errors:
            problems += errors.problems
    given = {key.value for key, _ in node.value}
    for names in rules.required:
        if not given & ({names} if isinstance(names, str) else set(names)):
            name = names if isinstance(names, str) else " or ".join(names)
            problems += wrong(source, node, f"{kind} needs the setting '{name}'").problems
    problems += _identifier_problems(source, node)
    if problems:
        raise DefinitionErrors(problems)
    return values


def _identifier_problems(source: SourceFile, node: yaml.MappingNode) -> Iterator[Problem]:
    for key, value in node.value:
        if key.value == "identifier" and value.value not in IDENTIFIERS:
            near = closest(str(value.value), IDENTIFIERS)
            yield from wrong(
                source, value, f"unknown identifier '{value.value}'", f"one of {', '.join(IDENTIFIERS)}", near
            ).problems


def _value(source: SourceFile, node: yaml.Node, environment: Mapping[str, str] | None) -> Any:
    """A setting's value, whatever it is made of, with variables in its texts put in."""
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _value(source, value, environment) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_value(source, item, environment) for item in node.value]
    if kind_of(node) != "str":
        return yaml.safe_load(source.text[node.start_mark.index : node.end_mark.index])
    return str(node.value) if environment is None else node_with_variables(source, node, node.value, environment)


def _segments(source: SourceFile, node: yaml.Node, known: frozenset[str] | None) -> tuple[str, ...]:
    names = _names(source, node, "[recent_buyers]")
    if known is not None and isinstance(node, yaml.SequenceNode):
        problems: list[Problem] = []
        for item in node.value:
            if item.value not in known:
                near = closest(str(item.value), known)
                problems += wrong(source, item, f"there is no segment '{item.value}'", "", near).problems
        if problems:
            raise DefinitionErrors(problems)
    return names


def _names(source: SourceFile, node: yaml.Node | None, example: str) -> tuple[str, ...]:
    if node is None:
        return ()
    if not isinstance(node, yaml.SequenceNode) or not all(isinstance(item, yaml.ScalarNode) for item in node.value):
        raise wrong(source, node, f"this is {shown_kind(node)}", f"a list of names, such as {example}")
    return tuple(dict.fromkeys(str(item.value) for item in node.value))


def _fields(source: SourceFile, node: yaml.Node | None, kind: str) -> dict[str, str]:
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise wrong(source, node, f"this is {shown_kind(node)}", "a mapping such as {FNAME: first_name}")
    problems: list[Problem] = []
    for key, value in node.value:
        problems += _field_problems(source, key, value, kind)
    if problems:
        raise DefinitionErrors(problems)
    return {str(key.value): str(value.value) for key, value in node.value}


def _field_problems(source: SourceFile, key: yaml.Node, value: yaml.Node, kind: str) -> Iterator[Problem]:
    if kind == "mailchimp" and not _MERGE_TAG.fullmatch(str(key.value)):
        expected = "a merge tag: up to ten capitals, digits and underscores, such as FNAME"
        yield from wrong(source, key, f"'{key.value}' is no merge tag", expected).problems
    text = str(value.value) if isinstance(value, yaml.ScalarNode) else ""
    message = problem_with(text)
    if message:
        names = (*SOURCES, *(f"{prefix}.NAME" for prefix in PREFIXES))
        expected = "a column of profiles, computed.NAME, traits.NAME or segments.NAME"
        yield from wrong(source, value, message, expected, closest(text, names)).problems
