"""Requests to the shards of one stream: as often as Kinesis allows, by iterators that are made anew when old.

Raises botocore's ClientError and BotoCoreError.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from pipelines.io.kinesis.address import KinesisAddress, connect
from pipelines.io.kinesis.shards import START, Shard, ended

READ_EVERY_SECONDS = 0.2
"""A shard takes five reads a second, of all readers together."""
_EXPIRED = "ExpiredIteratorException"


class Answer(NamedTuple):
    """What a shard gave: records, the position after them, whether nothing is left for now."""

    records: list[dict[str, Any]]
    position: int
    is_empty: bool


class ShardReader:
    """Reads any shard of a stream. Not shared between threads.

    Args:
        address: the stream.
        clock: seconds that only grow.
    """

    def __init__(self, address: KinesisAddress, clock: Callable[[], float] = time.monotonic) -> None:
        self._address = address
        self._client = connect(address)
        self._clock = clock
        self._shards: list[Shard] = []
        self._listed_at: float | None = None
        self._iterators: dict[str, tuple[int, str]] = {}
        self._read_at: dict[str, float] = {}
        self._turn = 0

    def check(self) -> None:
        """Asks for the stream."""
        self._client.describe_stream_summary(StreamName=self._address.stream)

    def shards(self, refresh_seconds: float) -> list[Shard]:
        """All shards, asked for again now and then."""
        now = self._clock()
        if self._listed_at is None or now - self._listed_at >= refresh_seconds:
            self._shards = self._list()
            self._listed_at = now
        return self._shards

    def in_turn(self, names: Sequence[str]) -> list[str]:
        """The names, another one first each time: a full bundle must not always be of the same shard."""
        if not names:
            return []
        self._turn = (self._turn + 1) % len(names)
        return [*names[self._turn :], *names[: self._turn]]

    def read(self, name: str, position: int, most: int) -> Answer | None:
        """What comes after a position; None: it was read a moment ago."""
        now = self._clock()
        if now - self._read_at.get(name, float("-inf")) < READ_EVERY_SECONDS:
            return None
        self._read_at[name] = now
        kept = self._iterators.get(name)
        iterator = kept[1] if kept is not None and kept[0] == position else self._iterator(name, position)
        try:
            answer = self._client.get_records(ShardIterator=iterator, Limit=most)
        except ClientError as error:
            if error.response["Error"]["Code"] != _EXPIRED:
                raise
            answer = self._client.get_records(ShardIterator=self._iterator(name, position), Limit=most)
        records = answer["Records"]
        at = int(records[-1]["SequenceNumber"]) if records else position
        following = answer.get("NextShardIterator")
        if following is None:  # the shard was closed by a split or a merge, and this was its end
            self._iterators.pop(name, None)
            return Answer(records, ended(at), is_empty=False)
        self._iterators[name] = (at, following)
        return Answer(records, at, not records and not answer.get("MillisBehindLatest"))

    def wait_seconds(self) -> float:
        """How long until some shard may be asked again."""
        return READ_EVERY_SECONDS

    def close(self) -> None:
        self._client.close()

    def _list(self) -> list[Shard]:
        asked: dict[str, Any] = {"StreamName": self._address.stream}
        found: list[Shard] = []
        while True:
            answer = self._client.list_shards(**asked)
            for shard in answer["Shards"]:
                parents = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
                found.append(Shard(shard["ShardId"], tuple(parent for parent in parents if parent)))
            if not answer.get("NextToken"):
                return found
            asked = {"NextToken": answer["NextToken"]}

    def _iterator(self, name: str, position: int) -> str:
        place: dict[str, str] = {"ShardIteratorType": "TRIM_HORIZON"}
        if position != START:
            place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": str(position)}
        asked = {"StreamName": self._address.stream, "ShardId": name}
        answer = self._client.get_shard_iterator(**asked, **place)
        return str(answer["ShardIterator"])
