"""Kinesis as a source and as a target, against moto's server; a resharding in the middle; a whole job on Prism."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from examples.shop_live.events import LiveShop, write_whole
from pipelines.io.kinesis.address import KinesisInput, connect, make_address
from pipelines.io.kinesis.source import KinesisSource
from pipelines.io.locations import parse_input
from pipelines.io.stream.source import Progress, Reader
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark
from pipelines.io.targets.location import parse_target
from pipelines.io.targets.target import OutgoingEvent, TargetError
from schemas.errors import InputError
from services.service import Running
from tests.integration.stream_jobs import StreamJob, ask, run_batch, tables, write_segments
from transforms.state.process import PROCESS

ONLY = Reader(0, 1)


class Stream(NamedTuple):
    """A stream of its own, of two shards."""

    location: str
    name: str
    client: Any

    def put(self, key: str, body: bytes) -> None:
        self.client.put_record(StreamName=self.name, PartitionKey=key, Data=body)


@pytest.fixture
def stream(kinesis_server: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, kinesis_server.environment[name])
    endpoint = kinesis_server.environment["AWS_ENDPOINT_URL_KINESIS"]
    stream = f"events-{uuid.uuid4().hex[:8]}"
    client = connect(make_address(f"eu-central-1/{stream}", endpoint))
    client.create_stream(StreamName=stream, ShardCount=2)
    yield Stream(f"kinesis:eu-central-1/{stream}?endpoint={endpoint}", stream, client)
    PROCESS.close()
    client.delete_stream(StreamName=stream)
    client.close()


class Job:
    """Reads as a runner would."""

    def __init__(self, location: str, **options: Any) -> None:
        parsed = parse_input(location)
        assert isinstance(parsed, KinesisInput)
        self.source = KinesisSource(parsed, SourceOptions(refresh_seconds=0.0, **options))
        self.progress = self.source.start(ONLY)
        self.watermark = StreamWatermark(self.source.options.watermark_policy)
        self.tokens: list[bytes] = []

    def read(self, count: int) -> list[bytes]:
        """So many messages."""
        raws: list[bytes] = []
        until = time.monotonic() + 60
        while len(raws) < count:
            assert time.monotonic() < until, f"only {len(raws)} came"
            batch = self.source.read(ONLY, self.progress, self.watermark)
            self.progress = self.progress.move_to(batch.positions)
            self.tokens += [batch.token] if batch.token else []
            raws += [record.message.raw for record in batch.records]
        return raws


def test_the_records_of_all_shards_come_once_those_of_a_key_in_order(stream: Stream) -> None:
    for number in range(40):
        stream.put(f"key-{number % 8}", b"%d" % number)
    raws = Job(stream.location).read(40)
    assert sorted(map(int, raws)) == list(range(40))
    for key in range(8):
        of_key = [int(raw) for raw in raws if int(raw) % 8 == key]
        assert of_key == sorted(of_key)


def test_a_start_goes_on_after_what_was_acknowledged(stream: Stream, tmp_path: Path) -> None:
    for number in range(10):
        stream.put("key", b"%d" % number)
    job = Job(stream.location, positions_folder=str(tmp_path))
    job.read(10)
    stream.put("key", b"lost")
    job.source.acknowledge(job.tokens)
    job.read(1)  # and is never acknowledged
    PROCESS.close()
    assert Job(stream.location, positions_folder=str(tmp_path)).read(1) == [b"lost"]


def test_after_a_split_the_parents_records_come_before_the_childrens(stream: Stream) -> None:
    for number in range(20):
        stream.put(f"key-{number % 4}", b"%d" % number)
    [shard, _] = stream.client.list_shards(StreamName=stream.name)["Shards"]
    low, high = (int(shard["HashKeyRange"][end]) for end in ("StartingHashKey", "EndingHashKey"))
    stream.client.split_shard(
        StreamName=stream.name, ShardToSplit=shard["ShardId"], NewStartingHashKey=str((low + high) // 2)
    )
    for number in range(20, 40):
        stream.put(f"key-{number % 4}", b"%d" % number)
    raws = Job(stream.location).read(40)
    assert sorted(map(int, raws)) == list(range(40))
    for key in range(4):
        of_key = [int(raw) for raw in raws if int(raw) % 4 == key]
        assert of_key == sorted(of_key)


def test_an_idle_stream_moves_the_watermark(stream: Stream) -> None:
    job = Job(stream.location, idle_timeout_seconds=0.0, out_of_orderness_seconds=0.0)
    before = time.time_ns() // 1_000
    until = time.monotonic() + 30
    while job.watermark.current_us() is None:
        assert time.monotonic() < until
        job.read(0)
        batch = job.source.read(ONLY, job.progress, job.watermark)
        job.progress = Progress(batch.positions)
    assert (job.watermark.current_us() or 0) >= before


def test_a_stream_that_is_not_there_is_refused_before_the_start(stream: Stream) -> None:
    with pytest.raises(InputError, match="there is no stream 'missing' in eu-central-1"):
        Job(stream.location.replace(stream.name, "missing")).source.count_readers()
    with pytest.raises(TargetError, match="there is no stream 'missing'"):
        parse_target(stream.location.replace(stream.name, "missing")).check()


def test_what_the_target_sends_comes_out_of_the_source(stream: Stream) -> None:
    target = parse_target(stream.location)
    target.check()
    target.send([OutgoingEvent(b"%d" % number, f"u_{number % 5}", f"m{number}") for number in range(1_200)])
    target.close()
    assert sorted(map(int, Job(stream.location).read(1_200))) == list(range(1_200))


def test_a_job_killed_while_it_reads_a_stream_ends_as_the_batch_job(
    stream: Stream, prism_binary: Path, tmp_path: Path
) -> None:
    now_ms = time.time_ns() // 1_000_000
    shop = list(LiveShop(6, 10, now_ms - 60_000).until(now_ms))
    segments, output, batch = write_segments(tmp_path / "segments"), tmp_path / "live.duckdb", tmp_path / "batch.duckdb"
    write_whole(tmp_path / "all.ndjson", shop)
    run_batch([str(tmp_path / "all.ndjson")], segments, batch)
    expected = tables(batch)
    for number, message in enumerate(shop[: len(shop) // 2]):
        stream.put(f"key-{number % 9}", message)
    with StreamJob([stream.location], segments, output, prism_binary) as job:
        job.wait_until(lambda: bool(ask(output, "SELECT 1 FROM events LIMIT 1")))
        job.kill()
    for number, message in enumerate(shop[len(shop) // 2 :]):
        stream.put(f"key-{number % 9}", message)
    with StreamJob([stream.location], segments, output, prism_binary) as job:
        job.wait_until(lambda: tables(output)["events"] == expected["events"])
        job.wait_until(lambda: tables(output) == expected)
        assert job.stop() == 0
