"""Reads `--cache redis://[USER:PASSWORD@]HOST:PORT/DB`. Touches nothing outside."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import urlsplit

from schemas.errors import UsageError, nearest

_SCHEMES = ("redis", "rediss")
_FORM = "redis://HOST:PORT/DB (rediss:// with TLS), for example redis://localhost:6379/0"


class CacheError(UsageError):
    """A cache that cannot be used, and what was expected."""


@dataclass(frozen=True, slots=True)
class CacheLocation:
    """A database of a Redis server. `url` may hold a password, so the text of this does not."""

    url: str

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}:{parts.port or 6379}{parts.path or '/0'}"

    def __repr__(self) -> str:
        return f"CacheLocation({str(self)!r})"


def parse_cache(text: str) -> CacheLocation:
    """Reads a `--cache` value.

    >>> str(parse_cache("redis://:secret@localhost:6379/2"))
    'redis://localhost:6379/2'

    Raises:
        CacheError: it is no address of a Redis database; the text quotes what is no secret.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in _SCHEMES:
        near = nearest(scheme, _SCHEMES)
        hint = f"; did you mean {near}://?" if separator and near else ""
        raise CacheError(f"--cache: expected {_FORM}{hint}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise CacheError(f"--cache {scheme}://...: the port is no number from 1 to 65535; expected {_FORM}") from error
    database = parts.path.strip("/")
    if not parts.hostname or port == 0 or not rest:
        raise CacheError(f"--cache {scheme}://...: no host; expected {_FORM}")
    if database and not database.isdecimal():
        raise CacheError(f"--cache {scheme}://{parts.hostname}: database {database!r}; expected a number, {_FORM}")
    if find_spec("redis") is None:
        raise CacheError("--cache: the package `redis` is not installed; expected pip install 'tidemark[api]'")
    return CacheLocation(text)
