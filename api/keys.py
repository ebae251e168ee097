"""Who may do what: `keys.yaml` holds hashes of keys, never a key.

    keys:
      - name: shop-browser
        hash: sha256:9f86d0...
        may: [collect]                     # collect, read, update
        rate: 200                          # requests a second; the default is 10,000
        origins: [https://shop.example]    # pages that may send; without it, any

A key is 190 random bits, so that its plain SHA-256 can be told to everybody. Make one:

    python -m api.keys --file keys.yaml --name shop-browser --may collect
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from schemas.errors import DefinitionErrors, Position, Problem
from transforms.pull.yaml_values import Reader
from transforms.segments.language.errors import SourceFile, gather
from transforms.segments.language.yaml_source import read_mapping, read_source

SCOPES = ("collect", "read", "update")
DEFAULT_RATE = 10_000
_KEYS = ("name", "hash", "may", "rate", "origins")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")
_KEY_BYTES = 24


@dataclass(frozen=True, slots=True)
class Key:
    """One entry. `digest` is the SHA-256 of the key; `origins` empty: pages of any origin may send."""

    name: str
    digest: bytes
    may: frozenset[str]
    rate: int = DEFAULT_RATE
    origins: frozenset[str] = frozenset()


class Keys:
    """Looks keys up. Every entry is compared, each in constant time."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = tuple(keys)
        collecting = [key for key in keys if "collect" in key.may]
        self._any_origin = any(not key.origins for key in collecting)
        self._origins = frozenset(origin for key in collecting for origin in key.origins)

    def find(self, key: str) -> Key | None:
        """The entry of a key, if there is one."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        found = None
        for entry in self._keys:
            if hmac.compare_digest(entry.digest, digest):
                found = entry
        return found

    def takes_from(self, origin: str) -> bool:
        """Whether pages of an origin may send with some key. A preflight does not say with which."""
        return self._any_origin or origin in self._origins


def key_of_header(value: str) -> str:
    """The key in an `Authorization` header: Basic (as user, with or without a colon) or Bearer; "" where there is none.

    >>> key_of_header("Basic a2V5Og=="), key_of_header("Bearer key")
    ('key', 'key')
    """
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        decoded = base64.b64decode(rest.strip() + "=" * (-len(rest.strip()) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return decoded.partition(":")[0]


def load_keys(path: Path) -> Keys:
    """Reads `keys.yaml`.

    Raises:
        DefinitionErrors: everything that is wrong with it, with the places.
    """
    source = read_source(path)
    entries = read_mapping(source, ("keys",))
    if "keys" not in entries:
        raise DefinitionErrors([source.problem(Position(), "there are no keys", "a key 'keys' with a list")])
    reader = Reader(source, {})
    node = entries["keys"]
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise reader.wrong(node, "this is no list of keys", "- name: ..., hash: ..., may: [...]")
    keys = gather(partial(_key, reader, item) for item in node.value)
    _refuse_twice(source, node, keys)
    return Keys(keys)


def _key(reader: Reader, node: yaml.Node) -> Key:
    entries = reader.mapping(node, _KEYS, "a key")
    reader.required(node, entries, ("name", "hash", "may"), "the key")
    readers: dict[str, Callable[[yaml.Node], object]] = {
        "name": partial(reader.scalar, expected="a name"),
        "hash": partial(_digest, reader),
        "may": partial(_scopes, reader),
        "rate": partial(reader.number, least=1, most=1_000_000),
        "origins": partial(_origins, reader),
    }
    values = reader.read(entries, readers)
    digest = values.pop("hash")
    return Key(digest=digest, **values)


def _digest(reader: Reader, node: yaml.Node) -> bytes:
    expected = "sha256: and 64 hexadecimal digits, as `python -m api.keys` prints them"
    text = reader.scalar(node, expected)
    if not _HASH.fullmatch(text):  # it may be the key itself: it is not quoted
        position = reader.source.position(node.start_mark.index)
        raise DefinitionErrors([Problem(reader.source.name, position, "this is no hash of a key", "", expected)])
    return bytes.fromhex(text.partition(":")[2])


def _list(reader: Reader, node: yaml.Node, expected: str) -> list[yaml.Node]:
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise reader.wrong(node, "this is no list", expected)
    return list(node.value)


def _scopes(reader: Reader, node: yaml.Node) -> frozenset[str]:
    items = _list(reader, node, "a list such as [collect]")
    return frozenset(gather(partial(reader.choice, item, SCOPES, "permission") for item in items))


def _origins(reader: Reader, node: yaml.Node) -> frozenset[str]:
    items = _list(reader, node, "a list such as [https://shop.example]")
    return frozenset(gather(partial(_origin, reader, item) for item in items))


def _origin(reader: Reader, node: yaml.Node) -> str:
    text = reader.scalar(node, "an origin").rstrip("/")
    if not _ORIGIN.fullmatch(text):
        raise reader.wrong(node, "this is no origin", "scheme and host, such as https://shop.example")
    return text


def _refuse_twice(source: SourceFile, node: yaml.SequenceNode, keys: Sequence[Key]) -> None:
    problems = []
    for number, key in enumerate(keys):
        place = source.position(node.value[number].start_mark.index)
        if any(other.name == key.name for other in keys[:number]):
            problems.append(source.problem(place, f"the name '{key.name}' is given twice"))
        elif any(other.digest == key.digest for other in keys[:number]):
            problems.append(source.problem(place, f"'{key.name}' has the hash of another key"))
    if problems:
        raise DefinitionErrors(problems)


def key_entry(name: str, key: str, may: Sequence[str]) -> str:
    """The lines of `keys.yaml` for a key."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    shown = yaml.safe_dump(name, default_style='"' if re.search(r"[^\w.-]", name) else None).splitlines()[0]
    return f"  - name: {shown}\n    hash: sha256:{digest}\n    may: [{', '.join(may)}]\n"


def add_key(path: Path, name: str, may: Sequence[str], key: str | None = None) -> str:
    """Adds a key's hash to a file, which is made if it is not there; returns the key, a new one unless it is given.

    Raises:
        DefinitionErrors: the file would be wrong, so it stays as it was.
        OSError: it cannot be written.
    """
    key = key or secrets.token_urlsafe(_KEY_BYTES)
    before = path.read_text() if path.exists() else "keys:\n"
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_text(before.rstrip("\n") + "\n" + key_entry(name, key, may))
        new.chmod(0o640)
        load_keys(new)
        os.replace(new, path)  # noqa: PTH105 - one step, or none
    finally:
        new.unlink(missing_ok=True)
    return key


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes a key, adds its hash to a file and prints it, once."""
    parser = argparse.ArgumentParser(
        prog="python -m api.keys",
        description="Make a key, or take one that you have; its hash goes into keys.yaml, the key is printed once.",
        allow_abbrev=False,
    )
    parser.add_argument("--file", required=True, metavar="FILE", help="keys.yaml; it is made if it is not there")
    parser.add_argument("--name", required=True, metavar="NAME", help="what the key is for, such as shop-browser")
    parser.add_argument("--may", required=True, metavar="SCOPES", help="collect, read, update (comma between)")
    parser.add_argument("--key", metavar="KEY", help="a key that clients have already (default: a new one)")
    options = parser.parse_args(arguments)
    may = [scope.strip() for scope in options.may.split(",")]
    wrong = [scope for scope in may if scope not in SCOPES]
    if wrong:
        parser.error(f"--may {wrong[0]}: expected {', '.join(SCOPES)}")
    path = Path(options.file)
    try:
        key = add_key(path, options.name, may, options.key)
    except DefinitionErrors as errors:
        print(errors, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"--file {path}: {error.strerror}", file=sys.stderr)
        return 2
    print(key)
    return 0


if __name__ == "__main__":
    sys.exit(main())
