"""Redis: who is in which segment, in the layout of the cache (docs/cache.md), limited to this destination's segments.

A profile's entry is written as a whole, with the instant of the run as its version: what comes late never wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import redis

from pipelines.io.cache.layout import Entry, Membership
from pipelines.io.cache.location import CacheError, parse_cache
from pipelines.io.cache.writer import CacheWriter
from pipelines.io.cache.writer import connect as connect_cache
from pipelines.io.destinations.base import Connection, SettingsError, Surroundings, all_pending
from pipelines.io.destinations.client import Clock, Later
from transforms.activation.contexts import CONTEXT
from transforms.activation.rows import ACKNOWLEDGED, Change, Outcome


def connect(settings: Mapping[str, Any], surroundings: Surroundings) -> Connection:
    """Raises SettingsError."""
    try:
        client = connect_cache(parse_cache(str(settings["url"])))
    except CacheError as error:
        raise SettingsError(str(error).replace("--cache", "url")) from None
    return Redis(client, surroundings.clock)


class Redis(Connection):
    """One database."""

    batch_size = 500

    def __init__(self, client: redis.Redis, clock: Clock) -> None:
        self._client, self._writer, self._clock = client, CacheWriter(client), clock

    def record_id(self, identifier: str) -> str:
        return identifier

    def send(self, changes: Sequence[Change]) -> list[Outcome]:
        try:
            self._writer.write([_entry(change) for change in changes], int(self._clock.wall() * 1_000_000))
        except redis.RedisError as error:
            return all_pending(changes, Later(f"no answer: {type(error).__name__}"))
        return [Outcome(change, ACKNOWLEDGED) for change in changes]

    def close(self) -> None:
        self._client.close()


def _entry(change: Change) -> Entry:
    known = change.fields.get(CONTEXT) or {"segments": [], "identifiers": []}
    memberships = tuple(Membership(*stay) for stay in known["segments"])
    identifiers = tuple(known["identifiers"]) if memberships else ()
    return Entry(change.profile_id or str(change.identifier or change.record_id), memberships, identifiers)
