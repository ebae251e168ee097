"""Reads a directory of JSON Schema files, and says with file and line what is wrong with them: all of it at once.

Comes before `tracking_plan.py`, which gives the files their meaning.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urldefrag, urljoin

import yaml

from schemas.errors import Position, Problem

DRAFT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_DRAFT_URI = DRAFT.removesuffix("schema")
_DATA = ("const", "default", "enum", "examples")  # keywords that hold data, not schemas


class SchemaFile(NamedTuple):
    """One file as read. `uri` is its address for `$ref`: relative references between files follow their folders."""

    path: Path
    uri: str
    text: str
    schema: Schema

    @property
    def is_event(self) -> bool:
        """Files whose name starts with `_` are there to be referred to (`_shared.json`) or list traits."""
        return not self.path.name.startswith("_")

    def problem(self, message: str, pointer: Sequence[str | int] = ()) -> Problem:
        line = line_of(self.text, pointer)
        return Problem(str(self.path), None if line is None else Position(line, 0), message)


def json_pointer(path: Iterable[str | int]) -> str:
    """The JSON pointer (RFC 6901) of a path; "" is the whole document."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def read_schema_files(
    directory: Path, base_uri: str, *, shipped: bool = False
) -> tuple[list[SchemaFile], list[Problem]]:
    """Every `*.json` under `directory`, sorted by path, and what keeps the others from being read.

    `shipped` files are known to be in order.
    """
    if not directory.is_dir():
        return [], [Problem(str(directory), None, "no such directory of schema files")]
    files: list[SchemaFile] = []
    problems: list[Problem] = []
    for path in sorted(directory.rglob("*.json")):
        read = _read(path, base_uri + path.relative_to(directory).as_posix())
        if isinstance(read, Problem):
            problems.append(read)
            continue
        files.append(read)
        if not shipped:
            problems.extend(_problems_of(read))
    if not files and not problems:
        problems.append(Problem(str(directory), None, "holds no schema file (*.json)"))
    return files, problems


def line_of(text: str, pointer: Sequence[str | int]) -> int | None:
    """The line, from 1, on which the value at `pointer` starts. JSON is YAML, whose parser keeps positions."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:  # the little JSON that is not YAML, such as indentation by tabs
        return None
    line = 1
    for step in pointer:
        found = _child(node, step)
        if found is None:
            break
        key, node = found
        line = key.start_mark.line + 1
    return line


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(step)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


class _RepeatedKeyError(ValueError):
    pass


def _without_repeats(pairs: list[tuple[str, Any]]) -> Schema:
    result: Schema = {}
    for key, value in pairs:
        if key in result:
            raise _RepeatedKeyError(key)
        result[key] = value
    return result


def _read(path: Path, uri: str) -> SchemaFile | Problem:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        return Problem(str(path), None, f"cannot be read: {error}")
    try:
        schema = json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        return Problem(str(path), Position(error.lineno, 0), f"not JSON: {error.msg} (column {error.colno})")
    except _RepeatedKeyError as error:
        return Problem(str(path), None, f"the key {str(error)!r} occurs twice in one object")
    except RecursionError:
        return Problem(str(path), None, "nested too deeply")
    if not isinstance(schema, dict):
        return Problem(str(path), Position(1, 0), "a schema file holds one JSON object")
    schema.pop("$id", None)  # the address of a file is where it lies
    return SchemaFile(path, uri, text, schema)


def _problems_of(file: SchemaFile) -> Iterator[Problem]:
    schema = file.schema
    if schema.get("$schema", DRAFT) not in (DRAFT, DRAFT + "#"):
        yield file.problem(f"`$schema` must be {DRAFT}", ["$schema"])
        return
    title = schema.get("title")
    if file.is_event and (not isinstance(title, str) or not title):
        yield file.problem("needs a `title`: the exact name of the track event that it describes", ["title"])
    if file.is_event and "object" not in as_list(schema.get("type", "object")):
        yield file.problem("describes the properties of an event, so its `type` must be object", ["type"])
    yield from _against_the_draft(file)


def _against_the_draft(file: SchemaFile) -> Iterator[Problem]:
    """What the reference implementation of JSON Schema says of the file: slower than the one that validates events."""
    from jsonschema import Draft202012Validator

    checker = Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
    try:
        errors = sorted(checker.iter_errors(file.schema), key=lambda error: list(map(str, error.absolute_path)))
    except RecursionError:
        yield file.problem("nested too deeply")
        return
    for error in errors:
        path = list(error.absolute_path)
        yield file.problem(f"not a JSON Schema: {json_pointer(path)}: {error.message}", path)


def reference_problems(files: Iterable[SchemaFile], resources: Mapping[str, Schema]) -> Iterator[Problem]:
    """Every `$ref` of the files that leads nowhere. `resources` are all schemas by URI; nothing is ever downloaded."""
    for file in files:
        for path, reference in _references(file.schema):
            target, fragment = urldefrag(urljoin(file.uri, reference))
            if not _leads_somewhere(resources.get(target), target, fragment):
                yield file.problem(f"`$ref` leads to nothing: {reference}", (*path, "$ref"))


def _references(schema: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield path, reference
        children: Iterable[tuple[str | int, object]] = [item for item in schema.items() if item[0] not in _DATA]
    else:
        children = enumerate(schema) if isinstance(schema, list) else ()
    for step, child in children:
        yield from _references(child, (*path, step))


def _leads_somewhere(schema: object, uri: str, fragment: str) -> bool:
    if schema is None:
        return uri.startswith(_DRAFT_URI)
    if not fragment.startswith("/"):  # the whole file, or an anchor, which is looked up when the schema is compiled
        return True
    for step in fragment[1:].split("/"):
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(schema, list) and name.isdigit() and int(name) < len(schema):
            schema = schema[int(name)]
        elif isinstance(schema, dict) and name in schema:
            schema = schema[name]
        else:
            return False
    return True


def as_list(value: object) -> list[object]:
    """A keyword such as `type`, which holds one name or a list of names, as a list."""
    return value if isinstance(value, list) else [value]
