"""What a stream has appended to BigQuery reaches the cache, whatever BigQuery does meanwhile."""

import threading
from collections.abc import Iterable

import fakeredis
import pytest
import redis

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.cache import feed as feed_module
from pipelines.io.cache.appended import AppendedUpdates
from pipelines.io.cache.feed import CacheFeed
from pipelines.io.cache.layout import Entry, Found, Membership
from pipelines.io.cache.location import CacheLocation
from pipelines.io.cache.tables import bigquery_states
from pipelines.io.cache.writer import CacheWriter
from pipelines.io.outputs import BigQueryOutput, Output
from tests.cache.test_feed import ask, wait_until

OUTPUT = BigQueryOutput("shop", "crm")
STAY = Membership("buyers", 5)


class States:
    """BigQuery, as far as it is asked: everybody is a buyer."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []
        self.is_away = threading.Event()

    def __call__(self, touched: Iterable[str]) -> list[Entry]:
        self.asked.append(set(touched))
        if self.is_away.is_set():
            raise BigQueryError("read states: Forbidden")
        return [Entry(profile_id, (STAY,), (profile_id,)) for profile_id in sorted(touched)]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> fakeredis.FakeServer:
    def fill(writer: CacheWriter, _output: Output, at_us: int) -> int:
        return writer.fill([], at_us)

    monkeypatch.setattr(feed_module, "CHECK_SECONDS", 0.02)
    monkeypatch.setattr(feed_module, "fill_with", fill)
    return fakeredis.FakeServer()


def updates(server: fakeredis.FakeServer, states: States) -> AppendedUpdates:
    def client(_location: CacheLocation) -> redis.Redis:
        return fakeredis.FakeRedis(server=server, decode_responses=True)

    feed = CacheFeed(CacheLocation("redis://cache.test:6379/0"), OUTPUT, client)
    return AppendedUpdates(OUTPUT, feed, states, every_seconds=0.01)


def test_profiles_of_appended_rows_are_asked_for_and_sent(server: fakeredis.FakeServer) -> None:
    states = States()
    made = updates(server, states)
    made.add(["user:anne"])
    wait_until(lambda: ask(server, "anne") == Found("user:anne", (STAY,)))
    made.add(["user:ben"])
    made.add(["user:cleo"])
    made.close()
    assert ask(server, "ben") == Found("user:ben", (STAY,))
    assert set().union(*states.asked) == {"user:anne", "user:ben", "user:cleo"}


def test_bigquery_away_is_told_once_and_made_up_for(
    server: fakeredis.FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    states = States()
    states.is_away.set()
    made = updates(server, states)
    made.add(["user:anne"])
    wait_until(lambda: len(states.asked) > 2)
    states.is_away.clear()
    wait_until(lambda: ask(server, "anne") == Found("user:anne", (STAY,)))
    made.close()
    assert capsys.readouterr().err.count("does not tell what the cache needs") == 1


def test_the_statement_asks_the_views_of_the_dataset() -> None:
    statement = bigquery_states("shop", "crm")
    assert {f"`shop.crm.{table}`" in statement for table in ("profiles", "memberships", "identity_links")} == {True}
    assert "{" not in statement
