"""`--cache` beside a stream into BigQuery: what Redis says is what the tables say, after Redis was away, too.

Each statement costs the emulator memory for good, and it ends at 2 GB. So nobody polls the tables: Redis, which costs
nothing, tells when the cache is as a bounded job says; the tables are read when the job has written and is quiet again.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from examples.shop_live.events import write_whole
from pipelines.io.bigquery.service import WRITE_HOST
from pipelines.io.outputs import BigQueryOutput
from pipelines.io.tables.query import open_tables
from pipelines.profiles import main
from schemas.tables import IDENTITY_LINKS, MEMBERSHIPS, PROFILES
from services.service import Running
from tests.integration import test_cache_of_a_job as local
from tests.integration.stream_jobs import StreamJob, write_segments
from tests.integration.test_cache_of_a_job import DEVICES_QUERY, NOW_QUERY, OwnRedis, in_cache, messages, own_redis
from tests.io.faults import Plan, write_proxy

pytest_plugins = ("tests.integration.bigquery_fixtures",)

__all__ = ["messages", "own_redis"]

PARTS = 3

Row = tuple[object, ...]


@pytest.fixture
def writes(bigquery: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plan]:
    """Counts the requests that write."""
    written = Plan(seed=1, share=0.0)
    with write_proxy(bigquery.endpoints["grpc"], written) as address:
        monkeypatch.setenv(WRITE_HOST, address)
        yield written


def members_in(output: BigQueryOutput) -> list[Row]:
    with open_tables(output, (MEMBERSHIPS,)) as connection:
        return sorted(connection.execute(NOW_QUERY).fetchall(), key=repr)


def devices_in(output: BigQueryOutput) -> dict[str, str]:
    with open_tables(output, (PROFILES, IDENTITY_LINKS)) as connection:
        return dict(connection.execute(DEVICES_QUERY).fetchall())


def is_cached(redis: OwnRedis, members: list[Row]) -> bool:
    return bool(redis.client.exists("tidemark:ready")) and in_cache(redis.client) == members


def when_quiet(writes: Plan, condition: Callable[[], bool]) -> Callable[[], bool]:
    """Asks the condition after the job has written and is quiet; each time it must have been quiet for twice as long.

    So the condition is asked only a few times, however slow the machine is.
    """
    before, quiet, enough = writes.done.total(), 0, 1
    has_news = False

    def is_so() -> bool:
        nonlocal before, quiet, enough, has_news
        last, before = before, writes.done.total()
        has_news, quiet = (True, 0) if before != last else (has_news, quiet + 1)
        if not has_news or quiet < enough:
            return False
        has_news, enough = False, 2 * enough
        return condition()

    return is_so


def members_after(parts: Sequence[Sequence[bytes]], segments: Path, folder: Path) -> Iterator[list[Row]]:
    """The members after each part, by a bounded job."""
    for number in range(len(parts)):
        write_whole(folder / f"upto-{number}.ndjson", [one for part in parts[: number + 1] for one in part])
        given = ["--input", str(folder / f"upto-{number}.ndjson"), "--segments", str(segments)]
        output = folder / f"upto-{number}.duckdb"
        assert main([*given, "--output", f"duckdb:{output}"]) == 0
        yield sorted(local.in_tables(output), key=repr)


def test_a_stream_into_bigquery_keeps_the_cache_right(
    writes: Plan,
    output: BigQueryOutput,
    own_redis: OwnRedis,
    messages: list[bytes],
    prism_binary: Path,
    tmp_path: Path,
) -> None:
    segments, folder = write_segments(tmp_path / "segments"), tmp_path / "in"
    folder.mkdir()
    parts = [messages[number::PARTS] for number in range(PARTS)]
    first, second, third = members_after(parts, segments, tmp_path)
    assert first
    assert first != second != third
    given = ([f"watch:{folder}/*.ndjson"], segments, tmp_path / "live", prism_binary, "--cache", own_redis.url)
    with StreamJob(*given, location=str(output)) as job:
        write_whole(folder / "0.ndjson", parts[0])
        job.wait_until(lambda: is_cached(own_redis, first))
        own_redis.stop()
        arrived = when_quiet(writes, lambda: members_in(output) == second)
        write_whole(folder / "1.ndjson", parts[1])
        job.wait_until(arrived)
        job.wait_until(lambda: "does not take what is written" in job.log())
        own_redis.start()  # and it knows nothing any more
        job.wait_until(lambda: is_cached(own_redis, second))
        written = when_quiet(writes, lambda: True)
        write_whole(folder / "2.ndjson", parts[2])
        job.wait_until(written)
        assert job.stop() == 0
    assert members_in(output) == third
    assert is_cached(own_redis, third)
    people, devices = {row[0] for row in third}, devices_in(output)
    leads = {device: own_redis.client.get(f"tidemark:i:anon:{device}") for device in devices}
    assert leads == {device: user if user in people else None for device, user in devices.items()}
    assert any(leads.values())
