"""Writes entries into Redis: whole profiles, in one step each, ordered by version, many a round trip.

Errors:
    redis.RedisError: the server is away, loading, read-only or full. What was written stands; writing it again, in any
        order, changes nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import redis

from pipelines.io.cache import layout, scripts
from pipelines.io.cache.layout import Entry
from pipelines.io.cache.location import CacheLocation

BATCH = 500
"""Profiles in a round trip."""

TIMEOUT_SECONDS = 5.0
MARGIN_US = 7 * 86_400 * 1_000_000
"""For how long an entry stays after its last membership has expired."""
TOMBSTONE_MS = 86_400_000
"""For how long a profile that has left its last segment keeps its version: longer than any write may be under way."""


def connect(location: CacheLocation) -> redis.Redis:
    """A client that gives up on a request after five seconds. It connects with its first request."""
    client: redis.Redis = redis.Redis.from_url(
        location.url,
        decode_responses=True,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
    )
    return client


class CacheWriter:
    """Puts the state of profiles into the cache. One per thread.

    Args:
        client: made by `connect`, or one that decodes responses.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._write: Any = client.register_script(scripts.WRITE)
        self._begin: Any = client.register_script(scripts.BEGIN)
        self._end: Any = client.register_script(scripts.END)

    def write(self, entries: Iterable[Entry], at_us: int) -> int:
        """Puts entries in the place of what is there, where that is older; returns how many were newer.

        Args:
            entries: whole profiles.
            at_us: when this was true, microseconds since the epoch: the version.
        """
        remaining, written = iter(entries), 0
        while batch := list(itertools.islice(remaining, BATCH)):
            with self._client.pipeline(transaction=False) as pipeline:
                for entry in batch:
                    self._write(args=_arguments(entry, at_us), client=pipeline)
                written += sum(pipeline.execute())
        return written

    def fill(self, members: Iterable[Entry], at_us: int) -> int:
        """Makes the cache hold exactly these members, but for what is newer; returns how many were written.

        Whoever is in the cache with an older version and not among them leaves it. At the end, it is ready.

        Raises:
            LostError: the server lost its data meanwhile.
        """
        self._begin(args=[layout.version_text(at_us)])
        written = self.write(members, at_us)
        self.write(self._older(at_us), at_us)
        if not self._end(args=[layout.version_text(at_us)]):
            self._client.delete(layout.READY)
            raise LostError("the cache was emptied while it was filled")
        return written

    def is_ready(self) -> bool:
        """Whether it has been filled, and has not lost it since."""
        return bool(self._client.exists(layout.READY))

    def _older(self, at_us: int) -> Iterator[Entry]:
        """Profiles that were last written before a version, as in no segment."""
        version = layout.version_text(at_us)
        found = self._client.scan_iter(match=layout.profile_key("*"), count=1000)
        # A user's id may end like a profile's key: what points to it is no profile.
        for keys in _batches(key for key in found if not key.startswith(layout.identifier_key(""))):
            with self._client.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.hmget(key, [layout.VERSION, layout.IDENTIFIERS])
                said = pipeline.execute()
            for key, (known, identifiers) in zip(keys, said, strict=True):
                if known is not None and known < version and identifiers is not None:
                    yield Entry(key.removeprefix(layout.PREFIX).removesuffix(":s"))


class LostError(Exception):
    """The cache lost its data while it was filled."""


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(keys)
    while batch := list(itertools.islice(remaining, BATCH)):
        yield batch


def _arguments(entry: Entry, at_us: int) -> list[str | int]:
    until = layout.keep_until_ms(entry.memberships, at_us, MARGIN_US)
    pairs = [text for one in entry.memberships for text in (one.segment, layout.value_of(one))]
    return [
        entry.profile_id,
        layout.version_text(at_us),
        "" if until is None else until,
        TOMBSTONE_MS,
        len(entry.memberships),
        *pairs,
        *entry.identifiers,
    ]
