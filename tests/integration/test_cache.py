"""The cache on a real Redis: what the unit tests show with the stand-in, and what only a server can show."""

import asyncio
import time
from collections.abc import Iterator

import pytest
import redis

from pipelines.io.cache.layout import Entry, Found, Membership
from pipelines.io.cache.location import CacheLocation, parse_cache
from pipelines.io.cache.reader import AsyncCacheReader, CacheReader
from pipelines.io.cache.writer import CacheWriter, connect
from services.service import Running

HOUR = 3_600_000_000
NOW = time.time_ns() // 1_000
STAY = Membership("buyers", NOW - HOUR, NOW + HOUR)


@pytest.fixture
def location(redis_server: Running) -> CacheLocation:
    return parse_cache(redis_server.environment["TIDEMARK_REDIS"])


@pytest.fixture
def client(location: CacheLocation) -> Iterator[redis.Redis]:
    with connect(location) as client:
        client.flushdb()
        yield client


def test_a_profile_is_found_by_each_identifier_until_it_expires(client: redis.Redis) -> None:
    writer, reader = CacheWriter(client), CacheReader(client)
    assert reader.segments_of("anne", NOW) is None
    writer.fill([Entry("user:anne", (STAY,), ("user:anne", "anon:phone"))], NOW)
    assert reader.segments_of("anne", NOW) == Found("user:anne", (STAY,))
    assert reader.segments_of("phone", NOW) == Found("user:anne", (STAY,))
    assert reader.segments_of("phone", NOW + HOUR) == Found("user:anne", ())
    assert writer.write([Entry("user:anne", (), ("user:anne",))], NOW - 1) == 0
    assert writer.write([Entry("user:anne", (), ("user:anne",))], NOW + 1) == 1
    assert reader.segments_of("phone", NOW) == Found(None)
    assert writer.write([Entry("user:anne", (STAY,), ("user:anne", "anon:phone"))], NOW) == 0
    assert reader.segments_of("anne", NOW) == Found(None)


def test_a_thousand_profiles_are_taken_out_by_a_filling_without_them(client: redis.Redis) -> None:
    writer = CacheWriter(client)
    members = [Entry(f"user:{n}", (STAY,), (f"user:{n}", f"anon:{n}")) for n in range(1_200)]
    assert writer.fill(members, NOW) == 1_200
    assert writer.fill(members[:3], NOW + 1) == 3
    left = sorted(key for key in client.scan_iter("tidemark:i:*"))
    assert left == sorted(f"tidemark:i:{kind}:{n}" for kind in ("anon", "user") for n in range(3))


def test_look_ups_that_are_awaited_give_the_same(client: redis.Redis, location: CacheLocation) -> None:
    CacheWriter(client).fill([Entry("user:anne", (STAY,), ("user:anne", "anon:phone"))], NOW)

    async def ask() -> list[Found | None]:
        reader = AsyncCacheReader(location)
        try:
            return await asyncio.gather(*(reader.segments_of(one, NOW) for one in ["anne", "phone", "ben"] * 20))
        finally:
            await reader.close()

    assert asyncio.run(ask()) == [Found("user:anne", (STAY,)), Found("user:anne", (STAY,)), Found(None)] * 20


def test_look_ups_fail_where_they_are_awaited_and_succeed_again(client: redis.Redis, location: CacheLocation) -> None:
    CacheWriter(client).fill([Entry("user:anne", (STAY,), ("user:anne",))], NOW)
    nobody = AsyncCacheReader(parse_cache("redis://127.0.0.1:1/0"))

    async def ask() -> list[object]:
        reader = AsyncCacheReader(location)
        failed = await asyncio.gather(*(nobody.segments_of("anne", NOW) for _ in range(3)), return_exceptions=True)
        gone = asyncio.create_task(reader.segments_of("anne", NOW))
        await asyncio.sleep(0)
        gone.cancel()
        found = await reader.segments_of("anne", NOW)
        client.script_flush()
        again = await reader.segments_of("anne", NOW)
        await reader.close()
        await nobody.close()
        return [*(isinstance(error, redis.ConnectionError) for error in failed), found, again]

    anne = Found("user:anne", (STAY,))
    assert asyncio.run(ask()) == [True, True, True, anne, anne]
