"""The kinds of destinations, and what connects to each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipelines.io.destinations import hubspot, mailchimp, redis, rest, webhook
from pipelines.io.destinations.base import Connection, SettingsError, Surroundings
from schemas.errors import UsageError
from transforms.activation.destination import Destination

_CONNECT: dict[str, Callable[[Mapping[str, Any], Surroundings], Connection]] = {
    "mailchimp": mailchimp.connect,
    "hubspot": hubspot.connect,
    "webhook": webhook.connect,
    "rest": rest.connect,
    "redis": redis.connect,
}


def connect(destination: Destination, surroundings: Surroundings | None = None) -> Connection:
    """Connects to a destination; nothing is sent yet.

    Raises:
        UsageError: its settings cannot be used.
    """
    try:
        return _CONNECT[destination.kind](destination.settings, surroundings or Surroundings())
    except SettingsError as error:
        raise UsageError(f"{destination.file or destination.name}: {error}") from None
