from collections.abc import Iterator

import fakeredis
import pytest
import redis


@pytest.fixture
def client() -> Iterator[redis.Redis]:
    """An empty Redis inside this process, Lua included."""
    made = fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=True)
    yield made
    made.close()
