"""What a stream tells the cache arrives, whatever Redis does meanwhile."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import fakeredis
import pytest
import redis

from pipelines.io.cache import feed as feed_module
from pipelines.io.cache.feed import CacheFeed, monotonic_us
from pipelines.io.cache.layout import Entry, Found, Membership
from pipelines.io.cache.location import CacheLocation
from pipelines.io.cache.reader import CacheReader
from pipelines.io.cache.touched import touched_profiles
from pipelines.io.outputs import DuckDBOutput
from schemas.duckdb import create_all
from schemas.tables import IDENTITY_LINKS, MEMBERSHIPS, PROFILES
from schemas.update import RowUpdate

LOCATION = CacheLocation("redis://cache.test:6379/0")
STAY = Membership("buyers", 5)
NOW = 4_000_000_000_000_000


def entry(user: str, *stays: Membership) -> Entry:
    return Entry(f"user:{user}", stays, (f"user:{user}",))


@pytest.fixture
def server() -> fakeredis.FakeServer:
    return fakeredis.FakeServer()


@pytest.fixture
def output(tmp_path: Path) -> DuckDBOutput:
    """Tables in which `user:anne` is a buyer."""
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(create_all((PROFILES, MEMBERSHIPS, IDENTITY_LINKS)))
        connection.execute(
            "INSERT INTO memberships (profile_id, segment, entered_at, segment_version, message_ids, exit_message_ids, "
            "recorded_at) VALUES ('user:anne', 'buyers', make_timestamptz(5), 'v', [], [], now())"
        )
    return DuckDBOutput(str(path))


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def feed(
    server: fakeredis.FakeServer, output: DuckDBOutput, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[CacheFeed]:
    monkeypatch.setattr(feed_module, "CHECK_SECONDS", 0.02)
    monkeypatch.setattr(feed_module, "LONGEST_PAUSE_SECONDS", 0.02)

    def client(_location: CacheLocation) -> redis.Redis:
        return fakeredis.FakeRedis(server=server, decode_responses=True)

    made = CacheFeed(LOCATION, output, client, told.append)
    yield made
    made.close()


def ask(server: fakeredis.FakeServer, user: str) -> Found | None:
    with fakeredis.FakeRedis(server=server, decode_responses=True) as client:
        return CacheReader(client).segments_of(f"user:{user}", NOW)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it never came"


def test_it_is_filled_from_what_is_published_and_told_what_changes(
    feed: CacheFeed, server: fakeredis.FakeServer
) -> None:
    feed.add([entry("ben", STAY)], NOW + 5)
    assert ask(server, "anne") is None
    feed.published(NOW)
    wait_until(lambda: ask(server, "anne") == Found("user:anne", (STAY,)))
    wait_until(lambda: ask(server, "ben") == Found("user:ben", (STAY,)))
    feed.add([entry("anne")], NOW + 6)
    wait_until(lambda: ask(server, "anne") == Found(None))


def test_redis_away_is_made_up_for(feed: CacheFeed, server: fakeredis.FakeServer, told: list[str]) -> None:
    feed.published(NOW)
    wait_until(lambda: ask(server, "anne") is not None)
    server.connected = False
    feed.add([entry("ben", STAY)], NOW + 1)
    wait_until(lambda: "does not take what is written" in "".join(told))
    feed.add([entry("ben"), entry("cleo", STAY)], NOW + 2)
    server.connected = True
    wait_until(lambda: ask(server, "cleo") == Found("user:cleo", (STAY,)))
    assert ask(server, "ben") == Found(None), "of what waited the newest was sent"
    wait_until(lambda: len(told) == 2)
    assert "is back" in told[1], "each is told once"


def test_a_cache_that_lost_its_data_is_filled_again_from_tables_that_have_all_that_was_sent(
    feed: CacheFeed, server: fakeredis.FakeServer
) -> None:
    feed.published(NOW)
    wait_until(lambda: ask(server, "anne") is not None)
    feed.add([entry("ben", STAY)], NOW + 1)
    wait_until(lambda: ask(server, "ben") == Found("user:ben", (STAY,)))
    with fakeredis.FakeRedis(server=server) as client:
        client.flushall()
    feed.add([entry("cleo", STAY)], NOW + 2)
    wait_until(lambda: bool(feed._fill_from_us))
    assert ask(server, "anne") is None, "the tables that were published do not have ben's yet"
    feed.published(NOW + 3)
    wait_until(lambda: ask(server, "anne") == Found("user:anne", (STAY,)))


def test_too_much_that_waits_is_filled_from_the_tables(
    feed: CacheFeed, server: fakeredis.FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.published(NOW)
    wait_until(lambda: ask(server, "anne") is not None)
    monkeypatch.setattr(feed_module, "MOST_WAITING", 10)
    server.connected = False
    feed.add([entry(str(number), STAY) for number in range(11)], NOW + 1)
    assert not feed._waiting
    server.connected = True
    feed.published(NOW + 2)
    wait_until(lambda: feed._fill_from_us is None)
    assert ask(server, "anne") == Found("user:anne", (STAY,))


def test_versions_grow_whatever_the_clock_does() -> None:
    assert monotonic_us(NOW) == NOW + 1
    assert monotonic_us(0) > 1_700_000_000_000_000


def test_whose_place_may_change_by_rows() -> None:
    profile = [None] * len(PROFILES.columns)
    profile[0], profile[PROFILES.column_names().index("merged_into")] = "user:old", "user:new"
    updates = [
        RowUpdate("profiles", tuple(profile), 1),
        RowUpdate("memberships", ("user:a", "buyers", 5, *[None] * 6), 1, withdrawn=True),
        RowUpdate("identity_links", ("phone", "b", 5, None), 1),
        RowUpdate("events", ("m1", "user:z"), 1),
    ]
    assert touched_profiles(updates) == {"user:old", "user:new", "user:a", "anon:phone", "user:b"}
