"""Look-ups for a server that has the tables to fall back to."""

from __future__ import annotations

import logging

import redis

from pipelines.io.cache.layout import Found
from pipelines.io.cache.location import CacheLocation
from pipelines.io.cache.reader import AsyncCacheReader

_LOGGER = logging.getLogger(__name__)


class CacheLookups:
    """The cache, as far as it answers. Close it at the end."""

    def __init__(self, location: CacheLocation) -> None:
        self._reader = AsyncCacheReader(location)
        self._is_away = False

    async def segments_of(self, identifier: str, now_us: int) -> Found | None:
        """As `AsyncCacheReader.segments_of`; None, too, where Redis does not answer, which is logged when it begins."""
        try:
            found = await self._reader.segments_of(identifier, now_us)
        except (redis.RedisError, OSError) as error:
            if not self._is_away:
                _LOGGER.warning("the cache does not answer: %s", type(error).__name__)
            self._is_away = True
            return None
        self._is_away = False
        return found

    async def close(self) -> None:
        """Lets go of connections."""
        await self._reader.close()
