"""What pages of other origins may do: send events, and nothing else."""

from __future__ import annotations

import re

from api.answers import Header
from api.keys import Keys

_HEADER_NAMES = re.compile(rb"[A-Za-z0-9-]+(?: ?, ?[A-Za-z0-9-]+)*")
_LONGEST = 1024
_DAY = b"86400"


def cors_headers(keys: Keys, origin: bytes | None) -> tuple[Header, ...]:
    """For an answer to a page of `origin`; without them it cannot read it. No credentials: there are no cookies."""
    if origin is None or not keys.takes_from(origin.decode("latin-1")):
        return ()
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", b"Retry-After"),
        (b"cross-origin-resource-policy", b"cross-origin"),
        (b"vary", b"Origin"),
    )


def preflight_headers(keys: Keys, origin: bytes | None, asked: bytes) -> tuple[Header, ...]:
    """For an answer to OPTIONS. The headers that the client names are the ones that it may send.

    Each release of a client names new ones: with a list of our own, its retries would be blocked in the browser.
    """
    allowed = cors_headers(keys, origin)
    if not allowed:
        return ()
    names = asked if len(asked) <= _LONGEST and _HEADER_NAMES.fullmatch(asked) else b"authorization, content-type"
    return (
        *allowed[:-1],
        (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
        (b"access-control-allow-headers", names),
        (b"access-control-max-age", _DAY),
        (b"vary", b"Origin, Access-Control-Request-Headers"),
    )
