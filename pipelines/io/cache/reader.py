"""Looks up who is in which segment, by any identifier. Never a member that has expired.

What a look-up sees is of one moment. `CacheReader` blocks, one round trip a look-up. `AsyncCacheReader` is awaited:
those that come while a request is under way go together with the next one.

Errors:
    redis.RedisError: the server does not answer in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import redis
import redis.asyncio

from pipelines.io.cache import layout, scripts
from pipelines.io.cache.layout import Found
from pipelines.io.cache.location import CacheLocation

TIMEOUT_SECONDS = 1.0
"""A look-up that takes longer fails: whoever asks has the tables to fall back to."""

MOST_TOGETHER = 200
"""Look-ups in one request: Redis does nothing else meanwhile."""


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
        ready, answer = self._read(args=[*layout.candidates(identifier), ""])
        return _found(ready, answer, now_us)


class _LookUp(NamedTuple):
    identifier: str
    now_us: int
    answered: asyncio.Future[Found | None]


class AsyncCacheReader:
    """Look-ups that are awaited, over one connection. Close it at the end.

    Args:
        location: the cache.
    """

    def __init__(self, location: CacheLocation) -> None:
        self._client: Any = redis.asyncio.Redis.from_url(
            location.url,
            decode_responses=True,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
        )
        self._read: Any = self._client.register_script(scripts.READ)
        self._waiting: list[_LookUp] = []
        self._asking: asyncio.Task[None] | None = None

    async def segments_of(self, identifier: str, now_us: int) -> Found | None:
        """As `CacheReader.segments_of`."""
        look_up = _LookUp(identifier, now_us, asyncio.get_running_loop().create_future())
        self._waiting.append(look_up)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await look_up.answered

    async def close(self) -> None:
        """Answers what waits, and lets go of the connection."""
        if self._asking is not None:
            await self._asking
        await self._client.aclose()

    async def _ask(self) -> None:
        while self._waiting:
            together, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
            try:
                answers = await self._ask_for(together)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the look-up is awaited
                for look_up in together:
                    if not look_up.answered.done():
                        look_up.answered.set_exception(error)
            else:
                for look_up, found in zip(together, answers, strict=True):
                    if not look_up.answered.done():  # whoever asked may have gone
                        look_up.answered.set_result(found)

    async def _ask_for(self, look_ups: Sequence[_LookUp]) -> list[Found | None]:
        asked = [text for one in look_ups for text in (*layout.candidates(one.identifier), "")]
        ready, *answers = await self._read(args=asked)
        return [_found(ready, answer, one.now_us) for one, answer in zip(look_ups, answers, strict=True)]


def _found(ready: str, answer: Any, now_us: int) -> Found | None:
    if not ready:
        return None
    profile_id, flat = answer
    fields = flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))
    return Found(profile_id or None, layout.members_at(fields, now_us))
