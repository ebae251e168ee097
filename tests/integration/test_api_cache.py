"""Look-ups from a real Redis: who it says is a member, and the tables again while it is away."""

from __future__ import annotations

import time
from pathlib import Path

import httpx

from pipelines.io.cache.layout import Entry, Membership
from pipelines.io.cache.location import parse_cache
from pipelines.io.cache.writer import CacheWriter, connect
from pipelines.io.outputs import DuckDBOutput
from services.service import Running
from tests.api.made_tables import NOW, profile, stay, write_tables
from tests.api.served import READ, basic, listening, options


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
