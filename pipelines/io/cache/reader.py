"""Looks up who is in which segment, by any identifier. Never a member that has expired.

One round trip a look-up; what it sees is of one moment. `CacheReader` blocks, `AsyncCacheReader` is awaited.

Errors:
    redis.RedisError: the server does not answer in time.
"""

from __future__ import annotations

from typing import Any

import redis
import redis.asyncio

from pipelines.io.cache import layout, scripts
from pipelines.io.cache.layout import Found
from pipelines.io.cache.location import CacheLocation

TIMEOUT_SECONDS = 1.0
"""A look-up that takes longer fails: whoever asks has the tables to fall back to."""


class CacheReader:
    """Look-ups that block. Thread-safe.

    Args:
        client: one that decodes responses, such as `connect` of writer.py makes.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._read: Any = client.register_script(scripts.READ)

    def segments_of(self, identifier: str, now_us: int) -> Found | None:
        """The segments of the profile that an identifier stands for.

        Args:
            identifier: `user:ID`, `anon:ID`, `account:ID`, or a user id or an anonymous id as it was sent.
            now_us: the present, microseconds since the epoch.

        Returns:
            None where the cache is not complete: ask the tables.
        """
        return _found(self._read(args=layout.candidates(identifier)), now_us)


class AsyncCacheReader:
    """Look-ups that are awaited, over a pool of connections of its own. Close it at the end.

    Args:
        location: the cache.
        connections: at most so many at once; more look-ups wait for one that is free.
    """

    def __init__(self, location: CacheLocation, connections: int = 32) -> None:
        pool: Any = redis.asyncio.BlockingConnectionPool.from_url(
            location.url,
            max_connections=connections,
            timeout=TIMEOUT_SECONDS,
            decode_responses=True,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
        )
        self._client: Any = redis.asyncio.Redis.from_pool(pool)
        self._read: Any = self._client.register_script(scripts.READ)

    async def segments_of(self, identifier: str, now_us: int) -> Found | None:
        """As `CacheReader.segments_of`."""
        return _found(await self._read(args=layout.candidates(identifier)), now_us)

    async def close(self) -> None:
        await self._client.aclose()


def _found(answer: list[Any], now_us: int) -> Found | None:
    ready, profile_id, flat = answer
    if not ready:
        return None
    fields = flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))
    return Found(profile_id or None, layout.members_at(fields, now_us))
