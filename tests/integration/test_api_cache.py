"""Look-ups from a real Redis: who it says is a member, and the tables again while it is away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pipelines.io.cache.layout import Entry, Membership
from pipelines.io.cache.location import parse_cache
from pipelines.io.cache.writer import CacheWriter, connect
from pipelines.io.outputs import DuckDBOutput
from services.service import Running
from tests.api.made_tables import NOW, profile, stay, write_tables
from tests.api.served import READ, basic, listening, options
from tests.integration.test_cache_of_a_job import OwnRedis, own_redis

__all__ = ["own_redis"]


def test_the_cache_is_asked_first_by_any_id(redis_server: Running, tmp_path: Path) -> None:
    location = parse_cache(redis_server.environment["TIDEMARK_REDIS"])
    now_us = time.time_ns() // 1000
    with connect(location) as client:
        client.flushdb()
        stays = (Membership("cached", NOW, now_us + 3_600_000_000), Membership("over", NOW, now_us - 1))
        CacheWriter(client).fill([Entry("user:u1", stays, ("user:u1", "anon:d1"))], now_us)
    tables = tmp_path / "out.duckdb"
    write_tables(tables, [profile("user:u1"), profile("user:u2"), stay("user:u2", "tabled", NOW)])
    given = options(tmp_path / "spool", tables=DuckDBOutput(str(tables)), cache=location)
    with (
        listening(given) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=basic(READ), trust_env=False) as client_,
    ):

        def segments(name: str) -> list[str]:
            return [one["segment"] for one in client_.get(f"/profiles/{name}/segments").json()["segments"]]

        assert segments("u1") == segments("user:u1") == segments("d1") == ["cached"]
        assert segments("u2") == ["tabled"], "in no segment that the cache knows"
        with connect(location) as client:
            client.flushdb()
        assert segments("u1") == [], "a cache that was lost is not believed: the tables are"


@pytest.fixture
def tables(tmp_path: Path) -> DuckDBOutput:
    """In which `u1` is in another segment than in the cache."""
    write_tables(tmp_path / "out.duckdb", [profile("user:u1"), stay("user:u1", "tabled", NOW)])
    return DuckDBOutput(str(tmp_path / "out.duckdb"))


def fill(redis: OwnRedis) -> None:
    entry = Entry("user:u1", (Membership("cached", NOW, None),), ("user:u1",))
    CacheWriter(redis.client).fill([entry], time.time_ns() // 1000)


@pytest.fixture
def asked(own_redis: OwnRedis, tables: DuckDBOutput, tmp_path: Path) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """An API that has the tables, too, and one that has the cache only."""
    location = parse_cache(own_redis.url)
    with (
        listening(options(tmp_path / "spool", tables=tables, cache=location)) as both,
        listening(options(tmp_path / "spool-2", cache=location)) as alone,
        httpx.Client(base_url=f"http://127.0.0.1:{both}", auth=basic(READ), trust_env=False) as with_tables,
        httpx.Client(base_url=f"http://127.0.0.1:{alone}", auth=basic(READ), trust_env=False) as without,
    ):
        yield with_tables, without


def test_a_redis_that_is_stopped_and_started_is_asked_again_by_itself(
    own_redis: OwnRedis, asked: tuple[httpx.Client, httpx.Client]
) -> None:
    with_tables, without = asked

    def segments() -> list[str]:
        return [one["segment"] for one in with_tables.get("/profiles/u1/segments").json()["segments"]]

    def away() -> bool:
        answer = without.get("/profiles/u1/segments")
        assert answer.status_code in (200, 503)
        assert answer.status_code == 200 or int(answer.headers["Retry-After"]) > 0
        return answer.status_code == 503

    fill(own_redis)
    for _ in range(2):
        assert segments() == ["cached"]
        assert not away()
        own_redis.stop()
        assert segments() == ["tabled"]
        assert away()
        own_redis.start()  # and it knows nothing any more
        assert segments() == ["tabled"]
        assert away()
        fill(own_redis)
