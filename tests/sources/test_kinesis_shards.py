"""Parents before children; sequence numbers as the integers that they are."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from pipelines.io.kinesis import reader as reader_module
from pipelines.io.kinesis import source as source_module
from pipelines.io.kinesis.address import KinesisInput
from pipelines.io.kinesis.reader import ShardReader
from pipelines.io.kinesis.shards import Shard, ended, furthest, is_ended, is_further, readable, with_shards
from pipelines.io.kinesis.source import KinesisSource
from pipelines.io.locations import parse_input
from pipelines.io.stream.source import Progress, Reader
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark
from transforms.state.process import PROCESS

BIG = 49_659_999_999_999_999_999_999_999_999_999_999_999_999_999_999_999_999_999
SPLIT = [Shard("a"), Shard("b", ("a",)), Shard("c", ("a",)), Shard("d", ("b", "c"))]


def test_children_wait_for_all_their_parents() -> None:
    assert readable(SPLIT, {}) == ["a"]
    assert readable(SPLIT, {"a": 5}) == ["a"]
    assert readable(SPLIT, {"a": ended(5)}) == ["b", "c"]
    assert readable(SPLIT, {"a": ended(5), "b": ended(0)}) == ["c"]
    assert readable(SPLIT, {"a": ended(5), "b": ended(0), "c": ended(9)}) == ["d"]


def test_a_parent_that_is_gone_holds_nobody() -> None:
    assert readable([Shard("b", ("a",))], {}) == ["b"]
    assert with_shards([Shard("b", ("a",))], {"a": 5}) == {"b": 0}


@given(st.integers(1, BIG), st.integers(1, BIG))
def test_positions_are_in_the_order_of_numbers_and_the_end_is_last(one: int, other: int) -> None:
    assert is_further(one, other) == (one > other)
    assert is_further(ended(one), other)
    assert not is_further(one, ended(other))
    assert furthest([{"a": one}, {"a": other}]) == {"a": max(one, other)}
    assert json.loads(json.dumps(one)) == one
    assert is_ended(ended(0))
    assert not is_ended(0)


def test_numbers_of_different_lengths_are_not_compared_as_texts() -> None:
    assert is_further(10**21, 9 * 10**20)
    assert furthest([{"a": 9}, {"a": 10}]) == {"a": 10}


class MadeUpKinesis:
    """One shard with ten records; iterators end after one use."""

    def __init__(self) -> None:
        self.good: set[str] = set()
        self.made = 0
        self.throttled = False

    def describe_stream_summary(self, **_asked: str) -> dict[str, Any]:
        return {}

    def list_shards(self, **asked: str) -> dict[str, Any]:
        if "NextToken" in asked:
            assert "StreamName" not in asked, "Kinesis takes only one of them"
            return {"Shards": [{"ShardId": "b", "ParentShardId": "a"}]}
        return {"Shards": [{"ShardId": "a"}], "NextToken": "more"}

    def get_shard_iterator(self, **asked: str) -> dict[str, str]:
        self.made += 1
        name = f"{asked.get('StartingSequenceNumber', '0')}/{asked['ShardId']}/{self.made}"
        self.good.add(name)
        return {"ShardIterator": name}

    def get_records(self, **asked: Any) -> dict[str, Any]:
        if self.throttled:
            raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "GetRecords")
        if asked["ShardIterator"] not in self.good:
            raise ClientError({"Error": {"Code": "ExpiredIteratorException"}}, "GetRecords")
        at, name, _ = asked["ShardIterator"].split("/")
        first, last = int(at) + 1, min(int(at) + asked["Limit"], 10)
        records = [
            {
                "SequenceNumber": str(number),
                "Data": b"%d" % number,
                "PartitionKey": "k",
                "ApproximateArrivalTimestamp": datetime(2026, 1, 1, tzinfo=UTC),
            }
            for number in range(first, last + 1)
        ]
        if name == "a" and last == 10:
            return {"Records": records, "MillisBehindLatest": 0}
        return {"Records": records, "NextShardIterator": f"{last}/{name}/stale", "MillisBehindLatest": 10 - last}

    def close(self) -> None:
        """Nothing to let go of."""


@pytest.fixture
def kinesis(monkeypatch: pytest.MonkeyPatch) -> Iterator[MadeUpKinesis]:
    made = MadeUpKinesis()
    monkeypatch.setattr(reader_module, "connect", lambda _address: made)
    monkeypatch.setattr(reader_module, "READ_EVERY_SECONDS", 0.0)
    yield made
    PROCESS.close()


def make_source(**options: Any) -> KinesisSource:
    location = parse_input("kinesis:eu-central-1/events")
    assert isinstance(location, KinesisInput)
    return KinesisSource(location, SourceOptions(**options))


def read_all(source: KinesisSource, progress: Progress, times: int) -> tuple[list[bytes], Progress, list[bytes]]:
    watermark = StreamWatermark(source.options.watermark_policy)
    raws, tokens = [], []
    for _ in range(times):
        batch = source.read(Reader(0, 1), progress, watermark)
        raws += [record.message.raw for record in batch.records]
        progress = progress.move_to(batch.positions)
        tokens += [batch.token] if batch.token else []
    return raws, progress, tokens


def test_the_child_is_read_after_the_parent_by_iterators_that_are_made_anew(kinesis: MadeUpKinesis) -> None:
    source = make_source(max_poll_records=4)
    raws, progress, _ = read_all(source, source.start(Reader(0, 1)), 8)
    assert raws == [b"%d" % number for number in [*range(1, 11), *range(1, 11)]]
    assert progress.positions == {"a": ended(10), "b": 10}


def test_what_was_acknowledged_is_where_the_next_start_begins(kinesis: MadeUpKinesis, tmp_path: Path) -> None:
    source = make_source(max_poll_records=4, positions_folder=str(tmp_path))
    raws, _, tokens = read_all(source, source.start(Reader(0, 1)), 2)
    assert len(raws) == 8
    source.acknowledge(tokens[:1])
    PROCESS.close()
    again = make_source(max_poll_records=4, positions_folder=str(tmp_path))
    assert again.start(Reader(0, 1)).positions == {"a": 4, "b": 0}
    raws, _, _ = read_all(again, again.start(Reader(0, 1)), 1)
    assert raws == [b"5", b"6", b"7", b"8"]
    source.acknowledge([tokens[1], tokens[0]])
    assert again.start(Reader(0, 1)).positions == {"a": 8, "b": 0}, "late and out of order"


def test_a_shard_that_is_throttled_is_behind_and_read_again(kinesis: MadeUpKinesis) -> None:
    source = make_source()
    kinesis.throttled = True
    raws, progress, _ = read_all(source, source.start(Reader(0, 1)), 2)
    assert raws == []
    kinesis.throttled = False
    raws, _, _ = read_all(source, progress, 1)
    assert len(raws) == 10


def test_a_shard_is_asked_five_times_a_second_at_most(kinesis: MadeUpKinesis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "READ_EVERY_SECONDS", 0.2)
    times = iter([0.0, 0.1, 0.19, 0.21])
    location = parse_input("kinesis:eu-central-1/events")
    assert isinstance(location, KinesisInput)
    client = ShardReader(location.address, clock=lambda: next(times))
    assert [client.read("b", 0, 4) is None for _ in range(4)] == [False, True, True, False]


def test_the_module_keeps_one_connection_a_stream(kinesis: MadeUpKinesis) -> None:
    first, second = make_source(), make_source()
    assert source_module._reader(first) is source_module._reader(second)
