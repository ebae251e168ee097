"""A file `sources/NAME.yaml` as a `SourceDefinition`, with every mistake at its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import yaml

from schemas.errors import DefinitionErrors, Position
from transforms.pull.definition import TIME_FORMATS, Auth, AuthKind, Changed, SourceDefinition
from transforms.pull.map_file import read_map
from transforms.pull.paging import Kind, Paging
from transforms.pull.yaml_values import Reader
from transforms.segments.language.yaml_source import read_mapping, read_source

_AUTH_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "none": ((), ()),
    "oauth2": (("token_url", "client_id", "client_secret"), ("scope",)),
    "bearer": (("token",), ()),
    "basic": (("user", "password"), ()),
    "header": (("name", "value"), ()),
}
"""What each kind must have, and what it may."""
_PAGE_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "none": ((), ()),
    "link": ((), ("size", "size_parameter", "reread")),
    "next": (("path",), ("size", "size_parameter", "reread")),
    "cursor": (("path", "parameter"), ("size", "size_parameter", "keep", "reread")),
    "page": (("parameter",), ("size", "size_parameter", "start", "path", "pages_header", "reread")),
    "offset": (("parameter",), ("size", "size_parameter", "start", "reread")),
}
KEYS = (
    "description url query headers auth pages rows errors id version changed replaces map"
).split()  # in the order in which a file is read best


def load_source(path: Path, environment: Mapping[str, str]) -> SourceDefinition:
    """The source that a file defines, its name that of the file.

    Args:
        path: the file.
        environment: variables by name, for `$NAME`.

    Raises:
        DefinitionErrors: everything that is wrong with it.
    """
    source = read_source(path)
    entries = read_mapping(source, KEYS)
    reader = Reader(source, environment)
    missing = [name for name in ("url", "id", "map") if name not in entries]
    if missing:
        message = f"the source has no {' and no '.join(missing)}"
        raise DefinitionErrors([source.problem(Position(), message, f"a key '{missing[0]}'")])
    values = reader.read(
        entries,
        {
            "description": lambda node: reader.scalar(node, "text"),
            "url": lambda node: _url(reader, node),
            "query": lambda node: reader.texts(node, "query"),
            "headers": lambda node: reader.texts(node, "headers"),
            "auth": lambda node: _auth(reader, node),
            "pages": lambda node: _pages(reader, node),
            "rows": reader.paths,
            "errors": reader.paths,
            "id": reader.path,
            "version": reader.paths,
            "changed": lambda node: _changed(reader, node),
            "replaces": reader.flag,
            "map": lambda node: read_map(reader, node),
        },
    )
    values["identity"], values["fields"] = values.pop("id"), values.pop("map")
    return SourceDefinition(name=path.stem, **values)


def _url(reader: Reader, node: yaml.Node) -> str:
    expected = "a URL, such as https://shop.example/orders"
    text = reader.scalar(node, expected)
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise reader.wrong(node, "this is no URL of a web server", expected)
    return text


def _keyed(
    reader: Reader, node: yaml.Node, kinds: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]], what: str
) -> tuple[str, dict[str, yaml.Node]]:
    """The kind, and the other entries, which are those that the kind has."""
    every = {name for must, may in kinds.values() for name in (*must, *may)}
    entries = reader.mapping(node, ("kind", *sorted(every)), what)
    reader.required(node, entries, ("kind",), what)
    kind = reader.choice(entries.pop("kind"), tuple(kinds), f"kind of {what}")
    must, may = kinds[kind]
    reader.required(node, entries, must, f"{what} of kind {kind}")
    for name, value in entries.items():
        if name not in (*must, *may):
            has = ", ".join((*must, *may)) or "nothing else"
            raise reader.wrong(value, f"{what} of kind {kind} has no '{name}'", has)
    return kind, entries


def _auth(reader: Reader, node: yaml.Node) -> Auth:
    kind, entries = _keyed(reader, node, _AUTH_KEYS, "auth")
    settings = {name: reader.scalar(value, "text") for name, value in entries.items()}
    if "token_url" in entries:
        _url(reader, entries["token_url"])
    return Auth(cast("AuthKind", kind), settings)


def _pages(reader: Reader, node: yaml.Node) -> Paging:
    kind, entries = _keyed(reader, node, _PAGE_KEYS, "pages")
    values: dict[str, Any] = reader.read(
        entries,
        {
            "parameter": lambda node: reader.scalar(node, "the name of a parameter"),
            "size_parameter": lambda node: reader.scalar(node, "the name of a parameter"),
            "pages_header": lambda node: reader.scalar(node, "the name of a header"),
            "path": reader.path,
            "size": lambda node: reader.number(node, 1, 100_000),
            "start": lambda node: reader.number(node, 0, 1),
            "keep": lambda node: tuple(str(one) for one in reader.literals(node)),
            "reread": reader.flag,
        },
    )
    values.setdefault("start", 0 if kind == "offset" else 1)
    values.setdefault("reread", kind in ("page", "offset"))
    return Paging(cast("Kind", kind), **values)


def _changed(reader: Reader, node: yaml.Node) -> Changed:
    entries = reader.mapping(node, ("fields", "parameter", "format", "overlap"), "changed")
    reader.required(node, entries, ("fields",), "changed")
    values = reader.read(
        entries,
        {
            "fields": reader.paths,
            "parameter": lambda node: reader.scalar(node, "the name of a parameter"),
            "format": lambda node: reader.choice(node, TIME_FORMATS, "format"),
            "overlap": reader.duration,
        },
    )
    if "overlap" in values:
        values["overlap_us"] = values.pop("overlap")
    return Changed(**values)
