"""Where requests must not go: a public name that leads into a private network.

An address that the file itself gives (`http://127.0.0.1:8080`, `http://localhost`) is meant. A name is looked up before
each request; if any of its addresses is private it is refused, unless the setting `allow_private` says otherwise.
Redirects are never followed.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from pipelines.io.destinations.base import SettingsError
from pipelines.io.destinations.client import Later, Stop

Resolve = Callable[[str], list[str]]


def resolve(host: str) -> list[str]:
    """The addresses of a name."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None)]


def checked_url(url: object, setting: str = "url") -> str:
    """The URL, if it is one.

    Raises:
        SettingsError: it is not http or https, or plain http to somewhere else than this machine.
    """
    parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(f"{setting}: expected a URL, such as https://example.com/hook")
    if _address(parts.hostname) is not None and ipaddress.ip_address(parts.hostname).is_link_local:
        raise SettingsError(f"{setting}: {parts.hostname} is an address that no destination has")
    return str(url)


def guard(allow_private: bool, look_up: Resolve = resolve) -> Callable[[str], None]:
    """What checks a URL before it is asked.

    Raises (what it returns):
        Stop: the name leads into a private network.
        Later: the name cannot be looked up.
    """

    def check(url: str) -> None:
        host = urlsplit(url).hostname or ""
        if allow_private or host == "localhost" or _address(host) is not None:
            return
        try:
            addresses = look_up(host)
        except OSError as error:
            raise Later("its name cannot be looked up") from error
        if not all(ipaddress.ip_address(address.partition("%")[0]).is_global for address in addresses):
            raise Stop("its name leads into a private network (allow_private: true lets it)")

    return check


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
