"""Events into a Kinesis stream, keyed by whose they are. What a request takes only in part is sent again in part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipelines.io.kinesis.address import KinesisAddress, connect
from pipelines.io.targets.target import OutgoingEvent, TargetError
from transforms.retrying import MOST_ATTEMPTS

MOST_RECORDS = 500
MOST_BYTES = 4_500_000
"""Of a request; Kinesis takes 5 MB, keys included."""
MOST_RECORD_BYTES = 1_000_000
_KEY_CHARACTERS = 256


class KinesisTarget:
    """A stream."""

    def __init__(self, address: KinesisAddress, sleep: Callable[[float], object] = time.sleep) -> None:
        self._address = address
        self._sleep = sleep
        self._client: Any = None

    def check(self) -> None:
        try:
            self._connected().describe_stream_summary(StreamName=self._address.stream)
        except (ClientError, BotoCoreError) as error:
            raise TargetError(f"{self._address}: {self._address.explain(error)}") from error

    def send(self, events: Sequence[OutgoingEvent]) -> None:
        for batch in _batches(events):
            left, attempt = batch, 0
            while left:
                left = self._put(left)
                attempt += 1
                if left and attempt >= MOST_ATTEMPTS:
                    raise TargetError(f"{self._address}: {len(left)} events are not safe: the stream takes no more now")
                if left:
                    self._sleep(min(5.0, 0.1 * 2**attempt))

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _put(self, events: list[OutgoingEvent]) -> list[OutgoingEvent]:
        """Sends them; returns those that were refused for now."""
        records = [{"Data": event.line, "PartitionKey": event.key[:_KEY_CHARACTERS] or "-"} for event in events]
        try:
            answer = self._connected().put_records(StreamName=self._address.stream, Records=records)
        except (ClientError, BotoCoreError) as error:
            raise TargetError(f"{self._address}: {self._address.explain(error)}") from error
        if not answer["FailedRecordCount"]:
            return []
        return [event for event, said in zip(events, answer["Records"], strict=True) if said.get("ErrorCode")]

    def _connected(self) -> Any:
        if self._client is None:
            self._client = connect(self._address)
        return self._client


def _batches(events: Sequence[OutgoingEvent]) -> Iterator[list[OutgoingEvent]]:
    batch: list[OutgoingEvent] = []
    size = 0
    for event in events:
        bytes_of_it = len(event.line) + len(event.key.encode())
        if len(event.line) > MOST_RECORD_BYTES:
            raise TargetError(f"an event of {len(event.line):,} bytes: Kinesis takes records of at most 1 MB")
        if batch and (len(batch) == MOST_RECORDS or size + bytes_of_it > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += bytes_of_it
    if batch:
        yield batch
