"""Where something listens: a host and a port."""

from __future__ import annotations

import re
from typing import NamedTuple

_MOST = 65_535
LOOPBACK = "127.0.0.1"


class Place(NamedTuple):
    """An address to listen on; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_place(text: str, default_host: str = LOOPBACK) -> Place:
    """`PORT` or `HOST:PORT`.

    Raises:
        ValueError: it is neither.

    >>> str(parse_place("9464")), str(parse_place("[::]:9464"))
    ('127.0.0.1:9464', '[::]:9464')
    """
    host, _, port = text.rpartition(":")
    if not re.fullmatch(r"\d{1,5}", port) or int(port) > _MOST or (":" in text and not host):
        raise ValueError(f"{text!r}: expected a port, or HOST:PORT")
    return Place(host.strip("[]") or default_host, int(port))
