"""Files `webhooks/NAME.yaml` as definitions, with every mistake at its place.

signature: {kind: hmac, header: X-Signature, encoding: hex, secrets: [$SECRET, $OLD_SECRET]}
body: json                          # or form
each: events                        # where the list of items is; '.' is the body itself; left out: one item
id: _header.x-webhook-id            # or a list of paths, or {hash: [paths]}
check: true                         # a GET is answered with 200
events:
- when: {type: [created, updated]}
map: {...}                      # as in a source of pipelines.pull; `event` takes the item as it is
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import yaml

from schemas.errors import DefinitionErrors, Position, Problem
from transforms.pull.map_file import read_map
from transforms.pull.mapping import as_text
from transforms.pull.yaml_values import Reader
from transforms.segments.language.errors import gather
from transforms.segments.language.yaml_source import read_mapping, read_source
from transforms.webhooks.definition import Rule, WebhookDefinition
from transforms.webhooks.signatures import ALGORITHMS, KINDS, Kind, Signature, public_key

_KEYS = ("description", "signature", "body", "each", "id", "check", "events")
_NEEDED = ("signature", "events")
_OPTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "hmac": (("header",), ("algorithm", "encoding", "prefix")),
    "timestamped": (("header",), ("tolerance",)),
    "standard": ((), ("tolerance",)),
    "ecdsa": (("header", "timestamp_header"), ("tolerance",)),
    "token": ((), ("header", "query", "prefix")),
    "basic": ((), ()),
}
"""What each kind must have, and what it may."""


def load_webhooks(folder: Path, environment: Mapping[str, str]) -> tuple[dict[str, WebhookDefinition], list[str]]:
    """Every definition of a folder by name, and what its owner may want to know.

    Args:
        folder: of YAML files.
        environment: variables by name, for secrets. A webhook of whose secrets none is set is off: a warning.

    Raises:
        DefinitionErrors: everything that is wrong with all files.
    """
    if not folder.is_dir():
        raise DefinitionErrors([Problem(str(folder), Position(), "there is no such directory")])
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.is_file())
    definitions = gather(partial(load_webhook, path, environment) for path in paths)
    warnings = [
        f"{path}: none of its secrets is set in the environment: POST /webhooks/{one.name} answers 503"
        for path, one in zip(paths, definitions, strict=True)
        if not one.signature.secrets
    ]
    return {one.name: one for one in definitions}, warnings


def load_webhook(path: Path, environment: Mapping[str, str]) -> WebhookDefinition:
    """One definition, its name that of the file.

    Raises:
        DefinitionErrors: everything that is wrong with it.
    """
    source = read_source(path)
    entries = read_mapping(source, _KEYS)
    reader = Reader(source, environment)
    missing = [name for name in _NEEDED if name not in entries]
    if missing:
        message = f"the webhook has no {' and no '.join(missing)}"
        raise DefinitionErrors([source.problem(Position(), message, f"a key '{missing[0]}'")])
    readers: dict[str, Callable[[yaml.Node], Any]] = {
        "description": partial(reader.scalar, expected="text"),
        "signature": partial(_signature, reader),
        "body": partial(reader.choice, choices=("json", "form"), what="kind of body"),
        "each": reader.path,
        "id": partial(_identity, reader),
        "check": reader.flag,
        "events": partial(_rules, reader),
    }
    values = reader.read(entries, readers)
    identity, hashed = values.get("id", ((), False))
    return WebhookDefinition(
        path.stem,
        values["signature"],
        values["events"],
        values.get("body", "json"),
        values.get("each"),
        identity,
        hashed,
        values.get("check", False),
    )


def _signature(reader: Reader, node: yaml.Node) -> Signature:
    everything = {name for pair in _OPTIONS.values() for names in pair for name in names}
    entries = reader.mapping(node, ("kind", "secrets", *sorted(everything)), "signature")
    reader.required(node, entries, ("kind", "secrets"), "signature")
    kind = cast("Kind", reader.choice(entries["kind"], KINDS, "signature"))
    needed, optional = _OPTIONS[kind]
    entries = reader.mapping(node, ("kind", "secrets", *needed, *optional), f"a signature of kind {kind}")
    reader.required(node, entries, needed, "signature")
    if kind == "token" and ("header" in entries) == ("query" in entries):
        raise reader.wrong(node, "a token comes in a header or in the query", "one of the keys 'header' and 'query'")
    readers: dict[str, Callable[[yaml.Node], Any]] = {
        "kind": lambda _node: kind,
        "secrets": partial(_secrets, reader, kind),
        "header": partial(_lower, reader),
        "timestamp_header": partial(_lower, reader),
        "query": partial(reader.scalar, expected="the name of a parameter"),
        "algorithm": partial(reader.choice, choices=ALGORITHMS, what="algorithm"),
        "encoding": partial(reader.choice, choices=("hex", "base64"), what="encoding"),
        "prefix": lambda prefix: str(prefix.value),
        "tolerance": reader.duration,
    }
    values = reader.read(entries, readers)
    if "tolerance" in values:
        values["tolerance_us"] = values.pop("tolerance")
    elif kind == "ecdsa":
        values["tolerance_us"] = None
    return Signature(**values)


def _lower(reader: Reader, node: yaml.Node) -> str:
    return reader.scalar(node, "the name of a header").lower()


def _secrets(reader: Reader, kind: Kind, node: yaml.Node) -> tuple[str, ...]:
    """Those that are set: `$NAME` is a variable of the environment; no secret stands in a file."""
    items = node.value if isinstance(node, yaml.SequenceNode) else [node]
    secrets = [secret for item in items if (secret := _secret(reader, item))]
    if kind == "ecdsa":
        for secret in secrets:
            try:
                public_key(secret)
            except ValueError as error:
                raise reader.wrong(node, str(error)) from None
    return tuple(secrets)


def _secret(reader: Reader, node: yaml.Node) -> str:
    expected = "$NAME, a variable of the environment that holds the secret"
    text = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
    if not text.startswith("$") or not text[1:].isidentifier():
        position = reader.source.position(node.start_mark.index)
        raise DefinitionErrors([Problem(reader.source.name, position, "a secret stands in no file", "", expected)])
    return reader.environment.get(text[1:], "").strip()


def _identity(reader: Reader, node: yaml.Node) -> tuple[tuple[tuple[str, ...], ...], bool]:
    if isinstance(node, yaml.MappingNode):
        entries = reader.mapping(node, ("hash",), "id")
        reader.required(node, entries, ("hash",), "id")
        return reader.paths(entries["hash"]), True
    return reader.paths(node), False


def _rules(reader: Reader, node: yaml.Node) -> tuple[Rule, ...]:
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise reader.wrong(node, "this is no list", "- map: ..., each with an optional 'when'")
    return tuple(gather(partial(_rule, reader, item) for item in node.value))


def _rule(reader: Reader, node: yaml.Node) -> Rule:
    entries = reader.mapping(node, ("when", "map"), "an entry of 'events'")
    reader.required(node, entries, ("map",), "the entry")
    when = reader.mapping(entries["when"], None, "'when'") if "when" in entries else {}
    conditions = tuple((_steps(path), _values(reader, values)) for path, values in when.items())
    mapped = entries["map"]
    if isinstance(mapped, yaml.ScalarNode) and mapped.value == "event":
        return Rule(conditions, None)
    return Rule(conditions, read_map(reader, mapped))


def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def _values(reader: Reader, node: yaml.Node) -> frozenset[str]:
    return frozenset(as_text(value) for value in reader.literals(node))
