"""`--cache` on the main job: after a batch, along a stream, with a Redis that is stopped, emptied, started again."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from examples.shop_live.events import LiveShop, write_whole
from pipelines.io.cache.location import parse_cache
from pipelines.io.cache.reader import CacheReader
from pipelines.io.cache.writer import connect
from pipelines.profiles import main
from services.processes import free_ports
from services.service import Running
from tests.integration.stream_jobs import StreamJob, ask, messages_written, write_segments

NOW_QUERY = """
    SELECT m.profile_id, m.segment, epoch_us(m.entered_at), epoch_us(m.expires_at)
    FROM memberships m WHERE exited_at IS NULL ORDER BY ALL
"""
DEVICES_QUERY = """
    SELECT anonymous_id, coalesce(p.merged_into, 'user:' || u) FROM (
        SELECT anonymous_id, max_by(user_id, "timestamp") AS u FROM identity_links GROUP BY ALL
    ) LEFT JOIN profiles p ON p.profile_id = 'user:' || u
"""


def in_tables(output: Path) -> list[tuple[object, ...]]:
    return ask(output, NOW_QUERY)


def in_cache(client: redis.Redis) -> list[tuple[object, ...]]:
    """What a plain client reads: every hash, and nothing that has expired."""
    now_us, found = time.time_ns() // 1_000, []
    for key in client.scan_iter("tidemark:*:s", count=1000):
        if key.startswith("tidemark:i:"):
            continue
        for segment, value in client.hgetall(key).items():
            if not segment.startswith("_"):
                entered, _, expires = value.partition(":")
                until = int(expires) if expires else None
                if until is None or until > now_us:
                    found.append((key.removeprefix("tidemark:").removesuffix(":s"), segment, int(entered), until))
    return sorted(found, key=repr)


def same(output: Path, client: redis.Redis) -> bool:
    if not client.exists("tidemark:ready"):
        return False
    return sorted(in_tables(output), key=repr) == in_cache(client) and bool(in_tables(output))


def assert_devices_lead_to_their_users(output: Path, client: redis.Redis) -> None:
    reader, checked = CacheReader(client), 0
    members = {row[0] for row in in_tables(output)}
    for device, profile_id in ask(output, DEVICES_QUERY):
        found = reader.segments_of(f"anon:{device}", time.time_ns() // 1_000)
        assert found is not None
        assert found.profile_id == (profile_id if profile_id in members else None)
        checked += found.profile_id is not None
    assert checked


@pytest.fixture
def messages() -> list[bytes]:
    """About 600 messages of the last minutes."""
    now_ms = time.time_ns() // 1_000_000
    return list(LiveShop(3, 10, now_ms - 60_000).until(now_ms))


class OwnRedis:
    """A Redis of the test's own, to be stopped."""

    def __init__(self, folder: Path) -> None:
        self.port = free_ports("redis", ["redis"], {})["redis"]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = connect(parse_cache(self.url))
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)  # noqa: S607
        while not self._answers():
            assert self._process.poll() is None

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    made = OwnRedis(tmp_path)
    made.start()
    yield made
    made.client.close()
    made.stop()


def test_a_batch_fills_the_cache_and_the_next_one_corrects_it(
    redis_server: Running, messages: list[bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segments, output = write_segments(tmp_path / "segments"), tmp_path / "shop.duckdb"
    url = redis_server.environment["TIDEMARK_REDIS"]
    with connect(parse_cache(url)) as client:
        client.flushdb()
        for upto in (len(messages) // 2, len(messages)):
            write_whole(tmp_path / "all.ndjson", messages[:upto])
            job = ["--input", str(tmp_path / "all.ndjson"), "--segments", str(segments)]
            assert main([*job, "--output", f"duckdb:{output}", "--cache", url]) == 0
            assert same(output, client)
            assert_devices_lead_to_their_users(output, client)
        assert f"Cache   {url}: " in capsys.readouterr().out


def test_a_stream_keeps_the_cache_right_while_redis_is_stopped_and_emptied(
    own_redis: OwnRedis, messages: list[bytes], prism_binary: Path, tmp_path: Path
) -> None:
    segments, output, folder = write_segments(tmp_path / "segments"), tmp_path / "live.duckdb", tmp_path / "in"
    folder.mkdir()
    parts = [messages[number::5] for number in range(5)]
    given = ([f"watch:{folder}/*.ndjson"], segments, output, prism_binary, "--cache", own_redis.url)

    def arrive(number: int, job: StreamJob) -> None:
        before = messages_written(output)
        write_whole(folder / f"{number}.ndjson", parts[number])
        job.wait_until(lambda: messages_written(output) > before)

    with StreamJob(*given) as job:
        arrive(0, job)
        job.wait_until(lambda: same(output, own_redis.client))
        own_redis.stop()
        arrive(1, job)
        job.wait_until(lambda: "does not take what is written" in job.log())
        own_redis.start()  # and it knows nothing any more
        job.wait_until(lambda: same(output, own_redis.client))
        assert "is back" in job.log()
        own_redis.client.flushall()
        arrive(2, job)
        job.wait_until(lambda: same(output, own_redis.client))
        arrive(3, job)
        job.kill()
    own_redis.client.flushall()
    with StreamJob(*given) as job:
        job.wait_until(lambda: bool(own_redis.client.exists("tidemark:ready")))
        arrive(4, job)
        job.wait_until(lambda: same(output, own_redis.client))
        assert_devices_lead_to_their_users(output, own_redis.client)
        assert job.stop() == 0
    assert same(output, own_redis.client)


def test_a_batch_beside_a_stopped_redis_ends_well_and_says_what_to_do(
    own_redis: OwnRedis, messages: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines import cache

    monkeypatch.setattr(cache, "_PAUSES_SECONDS", ())
    segments, output = write_segments(tmp_path / "segments"), tmp_path / "shop.duckdb"
    write_whole(tmp_path / "all.ndjson", messages)
    own_redis.stop()
    job = ["--input", str(tmp_path / "all.ndjson"), "--segments", str(segments), "--output", f"duckdb:{output}"]
    assert main([*job, "--cache", own_redis.url]) == 0
    assert in_tables(output)
    command = ["--input", f"duckdb:{output}", "--cache", own_redis.url]
    assert cache.main(command) == 1
    own_redis.start()
    assert cache.main(command) == 0
    assert same(output, own_redis.client)
