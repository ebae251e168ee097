"""`--cache` beside a stream into BigQuery: what Redis says is what the tables say, after Redis was away, too.

The emulator stops for a minute, at least, when two requests come at once: all of them take turns.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.shop_live.events import write_whole
from pipelines.io.bigquery.service import WRITE_HOST
from pipelines.io.outputs import BigQueryOutput
from pipelines.io.tables.query import open_tables
from schemas.tables import IDENTITY_LINKS, MEMBERSHIPS, PROFILES
from services.service import Running
from tests.integration.stream_jobs import StreamJob, write_segments
from tests.integration.test_cache_of_a_job import DEVICES_QUERY, NOW_QUERY, OwnRedis, in_cache, messages, own_redis
from tests.io.faults import Plan, rest_proxy, write_proxy

pytest_plugins = ("tests.integration.bigquery_fixtures",)

__all__ = ["messages", "own_redis"]


@pytest.fixture
def taking_turns(bigquery: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    turn, plan = threading.Lock(), Plan(seed=1, share=0.0)
    rest = bigquery.environment["BIGQUERY_EMULATOR_HOST"].removeprefix("http://")
    with (
        rest_proxy(rest, plan, turn) as rest_address,
        write_proxy(bigquery.endpoints["grpc"], plan, turn) as write_address,
    ):
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"http://{rest_address}")
        monkeypatch.setenv(WRITE_HOST, write_address)
        yield


def in_tables(output: BigQueryOutput) -> list[tuple[object, ...]]:
    with open_tables(output, (PROFILES, MEMBERSHIPS, IDENTITY_LINKS)) as connection:
        return sorted(connection.execute(NOW_QUERY).fetchall(), key=repr)


def devices_in_tables(output: BigQueryOutput) -> dict[str, str]:
    with open_tables(output, (PROFILES, MEMBERSHIPS, IDENTITY_LINKS)) as connection:
        return dict(connection.execute(DEVICES_QUERY).fetchall())


def same(output: BigQueryOutput, redis: OwnRedis) -> bool:
    return bool(redis.client.exists("tidemark:ready")) and in_tables(output) == in_cache(redis.client)


def test_a_stream_into_bigquery_keeps_the_cache_right(
    taking_turns: None,
    output: BigQueryOutput,
    own_redis: OwnRedis,
    messages: list[bytes],
    prism_binary: Path,
    tmp_path: Path,
) -> None:
    segments, folder = write_segments(tmp_path / "segments"), tmp_path / "in"
    folder.mkdir()
    parts = [messages[number::3] for number in range(3)]
    given = ([f"watch:{folder}/*.ndjson"], segments, tmp_path / "live", prism_binary, "--cache", own_redis.url)

    def members() -> int:
        return len(in_tables(output))

    with StreamJob(*given, location=str(output)) as job:
        write_whole(folder / "0.ndjson", parts[0])
        job.wait_until(lambda: same(output, own_redis) and members() > 0)
        own_redis.stop()
        before = members()
        write_whole(folder / "1.ndjson", parts[1])
        job.wait_until(lambda: "does not take what is written" in job.log() and members() != before)
        own_redis.start()  # and it knows nothing any more
        job.wait_until(lambda: same(output, own_redis))
        write_whole(folder / "2.ndjson", parts[2])
        before = members()
        job.wait_until(lambda: members() != before)
        assert job.stop() == 0
    assert same(output, own_redis)
    leads = {device: own_redis.client.get(f"tidemark:i:anon:{device}") for device in devices_in_tables(output)}
    people = {row[0] for row in in_tables(output)}
    expected = {device: user if user in people else None for device, user in devices_in_tables(output).items()}
    assert leads == expected
    assert any(leads.values())
