"""Reads a Pub/Sub subscription by pull, and acknowledges once a batch is durable.

Beam's own local reader acknowledges before it processes, and a failure then loses messages. This one lets a message's
lease run out instead, so that Pub/Sub sends it again. On Dataflow the service's own reader is used (sources.py).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.api_core.exceptions import (
    Aborted,
    Cancelled,
    DeadlineExceeded,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    RetryError,
    ServerError,
    ServiceUnavailable,
)
from google.cloud.pubsub_v1 import SubscriberClient

from pipelines.io.locations import PubSubInput
from pipelines.io.stream.event_time import UNKNOWN_US
from pipelines.io.stream.found_records import received_records
from pipelines.io.stream.source import Batch, Progress, Reader, Record, now_us
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark
from schemas.errors import InputError
from schemas.message import Message
from transforms.state.process import PROCESS, Registry

REQUEST_SECONDS = 15.0
MAX_PULL = 1_000
_ALL = "subscription"  # the one partition of the watermark: Pub/Sub has no order to tell apart
_AWAY = (ServerError, Aborted, ResourceExhausted, RetryError)
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class PubSubSource:
    """A subscription as a stream of messages. `clock` gives microseconds since the epoch.

    The position is the number of messages read, which only shows progress: Pub/Sub itself knows what is left.
    """

    location: PubSubInput
    options: SourceOptions
    clock: Callable[[], int] = now_us

    @property
    def text(self) -> str:
        return self.location.text

    def count_readers(self) -> int:
        try:
            _client().get_subscription(subscription=self.location.path, timeout=REQUEST_SECONDS, retry=None)
        except NotFound as error:
            raise InputError(f"--input {self.text}: there is no subscription {self.location.path!r}") from error
        except PermissionDenied:
            _LOGGER.warning("%s: not allowed to look at the subscription; reading it may still be", self.text)
        except (DeadlineExceeded, ServiceUnavailable) as error:
            raise InputError(f"--input {self.text}: Pub/Sub does not answer: {error.message}") from error
        return 1

    def start(self, reader: Reader) -> Progress:
        return Progress({_ALL: 0})

    def read(self, reader: Reader, progress: Progress, watermark: StreamWatermark) -> Batch:
        watermark.track([_ALL])
        asked_us = self.clock()
        found = self._pull()
        if found is None:
            return Batch([], dict(progress.positions))
        if not found:
            watermark.found_empty(_ALL, asked_us)
            return Batch([], dict(progress.positions))
        ack_ids = [received.ack_id for received in found]
        # From now on this batch has that long to become durable, whatever the subscription's own deadline is.
        self._tell("modify_ack_deadline", ack_ids=ack_ids, ack_deadline_seconds=self.options.ack_deadline_seconds)
        records = [record for received in found for record in self._records(received.message)]
        latest_us = max((record.event_us for record in records), default=UNKNOWN_US)
        watermark.observe(_ALL, latest_us, self.clock())
        return Batch(records, {_ALL: progress.positions[_ALL] + len(records)}, json.dumps(ack_ids).encode())

    def acknowledge(self, tokens: Sequence[bytes]) -> None:
        ack_ids = [ack_id for token in tokens for ack_id in json.loads(token)]
        for start in range(0, len(ack_ids), MAX_PULL):
            self._tell("acknowledge", ack_ids=ack_ids[start : start + MAX_PULL])

    def _tell(self, request: str, **about: Any) -> None:
        """Makes a request that only keeps messages from coming again: without an answer they do, and count once."""
        try:
            getattr(_client(), request)(subscription=self.location.path, timeout=REQUEST_SECONDS, **about)
        except _AWAY as error:
            _LOGGER.warning("%s: no answer to %s: %s", self.text, request, error.message)

    def _pull(self) -> list[Any] | None:
        """The messages that are there; [] when there are none; None when nobody answers, which says nothing."""
        try:
            answer = _client().pull(
                subscription=self.location.path,
                max_messages=min(self.options.max_poll_records, MAX_PULL),
                timeout=self.options.pull_seconds,
                retry=None,
            )
        except (DeadlineExceeded, Cancelled):  # whichever side saw first that the time is over
            return []
        except _AWAY as error:
            _LOGGER.warning("%s: no answer, trying again: %s", self.text, error.message)
            return None
        return list(answer.received_messages)

    def _records(self, message: Any) -> Iterator[Record]:
        published_us = int(message.publish_time.timestamp() * 1_000_000)
        received = Message(bytes(message.data), self.text, dict(message.attributes))
        return received_records(received, min(published_us, self.clock()), self.options.epoch)


_CLIENTS: Registry[str, SubscriberClient] = PROCESS.registry(SubscriberClient.close)


def _client() -> SubscriberClient:
    """This process's connection. Honours PUBSUB_EMULATOR_HOST, as the client library does."""
    return _CLIENTS.get(_ALL, SubscriberClient)
