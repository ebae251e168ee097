"""Connections to Kafka, kept from batch to batch by each worker process, since connecting costs more than reading."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from pipelines.io.stream.source_options import SourceOptions

Settings = dict[str, str | int | float | bool]

REQUEST_SECONDS = 15.0
FIRST_OFFSETS = OffsetSpec.earliest()
END_OFFSETS = OffsetSpec.latest()
COMMITTED_CHECK_SECONDS = 0.2
_CHUNK_RECORDS = 500
_RETRY_SECONDS = 0.2
_LOGGER = logging.getLogger(__name__)


# What is answered while leaders and coordinators move or start, or a connection is made again.
PASSING = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
)
T = TypeVar("T")


def ask_until_answered(request: Callable[[], T], seconds: float = REQUEST_SECONDS) -> T:
    """Makes a request, again while what stands in its way is passing.

    Raises:
        KafkaException: no answer within so many seconds, or one that says no.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return request()
        except KafkaException as error:
            if not is_passing(error) or time.monotonic() > deadline:
                raise
        time.sleep(_RETRY_SECONDS)


def is_passing(error: KafkaException) -> bool:
    """Whether the same request may succeed later: a broker is away, or a leader moves."""
    return error.args[0].code() in PASSING


def _checked(places: Sequence[TopicPartition] | None) -> Sequence[TopicPartition]:
    for place in places or ():
        if place.error is not None:
            raise KafkaException(place.error)
    return places or ()


class ReaderClient:
    """One reader's consumer and where it stands.

    Questions go through `admin`, which has connections of its own: on the consumer's they would wait behind a fetch.
    """

    def __init__(self, topic: str, consumer_settings: Settings, connection_settings: Settings) -> None:
        self.consumer = Consumer(consumer_settings)
        self.admin = AdminClient(connection_settings)
        self.topic = topic
        self.positions: dict[str, int] = {}
        self._stood_at: dict[str, int] = {}
        self._reads: deque[tuple[int, int]] = deque()
        self._due = self._written = 0
        self.asked_us = 0
        self._asked: dict[str, Future[Any]] = {}
        self._done_at: dict[str, float] = {}

    def is_due(self, task: str, seconds: float) -> bool:
        """Whether `task` was last due more than `seconds` ago; if so, it counts as done now."""
        now = time.monotonic()
        if now - self._done_at.get(task, -seconds) < seconds:
            return False
        self._done_at[task] = now
        return True

    def committed(self, names: Iterable[str]) -> dict[str, int]:
        """The group's committed offsets; negative where there is none."""
        asked = [TopicPartition(self.topic, int(name)) for name in names]
        answers = ask_until_answered(lambda: _checked(self.consumer.committed(asked, timeout=REQUEST_SECONDS)))
        return {str(answer.partition): answer.offset for answer in answers}

    def ask_offsets(self, names: Sequence[str], which: OffsetSpec) -> dict[str, int]:
        """The first or the end offsets of partitions, as a reader of committed transactions sees them."""

        def ask() -> dict[str, int]:
            return {name: answer.result(REQUEST_SECONDS).offset for name, answer in self._ask(names, which).items()}

        return ask_until_answered(ask)

    def ask_ends(self, names: Sequence[str], asked_us: int) -> None:
        """Asks for end offsets without waiting for them, unless the last answer is still due."""
        if not self._asked:
            self.asked_us = asked_us
            self._asked = self._ask(names, END_OFFSETS)

    def answered_ends(self, read_since: Collection[str], text: str) -> dict[str, int]:
        """The end offsets that `ask_ends` asked for, once; without those of partitions that were read meanwhile."""
        for name in read_since:
            self._asked.pop(name, None)
        if not all(answer.done() for answer in self._asked.values()):
            return {}
        answers, self._asked = self._asked, {}
        failed = [error for answer in answers.values() if (error := answer.exception())]
        if failed:
            _LOGGER.warning("%s: the ends of partitions are not known: %s", text, failed[0])
        return {name: answer.result().offset for name, answer in answers.items() if not answer.exception()}

    def _ask(self, names: Sequence[str], which: OffsetSpec) -> dict[str, Future[Any]]:
        asked = {TopicPartition(self.topic, int(name)): which for name in names}
        answers = self.admin.list_offsets(
            asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=REQUEST_SECONDS
        )
        return {str(place.partition): answer for place, answer in answers.items()}

    def stand_at(self, positions: Mapping[str, int]) -> None:
        """Makes the next record the one at `positions`, which after a failed or moved batch is not where it stands."""
        if positions != self.positions:
            self.positions = dict(positions)
            self._stood_at = dict(positions)
            self._reads.clear()
            self._due = self._written = sum(positions.values())
            self.consumer.assign([TopicPartition(self.topic, int(name), at) for name, at in positions.items()])

    def poll(self, options: SourceOptions, stops: Mapping[str, int] | None) -> list[Message]:
        """Waits for a first record, then takes what comes while it lingers, up to the limits. Moves the positions."""
        if not self.positions:
            return []
        records: list[Message] = []
        size_bytes = 0
        found = self.consumer.consume(1, timeout=options.poll_seconds)
        until = time.monotonic() + options.linger_seconds
        while found:
            for message in found:
                if self._accept(message, stops):
                    records.append(message)
                    size_bytes += len(message)
            left = options.max_poll_records - len(records)
            if left <= 0 or size_bytes >= options.max_poll_bytes:
                break
            found = self.consumer.consume(min(left, _CHUNK_RECORDS), timeout=max(0.0, until - time.monotonic()))
        return records

    def note_read(self, latest_us: int) -> None:
        """A batch up to the present positions was handed on; the latest event time in it is `latest_us`."""
        so_far_us = max(latest_us, self._reads[-1][0]) if self._reads else latest_us
        self._reads.append((so_far_us, sum(self.positions.values())))

    def count_unwritten(self, watermark_us: int | None, limit: int) -> int:
        """How many records wait to be written, of those that the watermark has passed.

        Only those: one that it has not passed cannot be acknowledged yet, and waiting for it would wait for ever. The
        group's committed offsets say what was written; they are asked for when more than `limit` seem to be waiting.
        """
        while self._reads and watermark_us is not None and self._reads[0][0] < watermark_us:
            self._due = self._reads.popleft()[1]
        if self._due - self._written > limit and self.is_due("committed", COMMITTED_CHECK_SECONDS):
            try:
                committed = self.committed(self._stood_at)
            except KafkaException as error:
                if not is_passing(error):
                    raise
                _LOGGER.warning("topic %s: what was written is not known: %s", self.topic, error.args[0].str())
                return self._due - self._written
            self._written = sum(max(committed[name], at) for name, at in self._stood_at.items())
        return self._due - self._written

    def _accept(self, message: Message, stops: Mapping[str, int] | None) -> bool:
        name, error = str(message.partition()), message.error()
        at: int = message.offset()  # type: ignore[assignment]  # None only where a message was made by hand
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                # Transaction markers and compacted records fill offsets that no record ever has.
                at = at if stops is None else min(at, stops[name])
                self.positions[name] = max(self.positions[name], at)
            elif not error.retriable() and error.code() not in PASSING:
                raise KafkaException(error)
            return False
        if stops is not None and at >= stops[name]:
            self.positions[name] = stops[name]
            return False
        self.positions[name] = at + 1
        return True


class Committer:
    """Commits offsets of one group and topic, never backwards: batches may be acknowledged out of order."""

    def __init__(self, topic: str, consumer_settings: Settings) -> None:
        self._consumer = Consumer(consumer_settings)
        self._topic = topic
        self._committed: dict[str, int] = {}
        self._waiting: dict[str, int] = {}
        self._lock = threading.Lock()

    def commit(self, offsets: Mapping[str, int]) -> None:
        """While no broker answers they wait for the next call. What is not committed would only come again."""
        with self._lock:
            for name, at in offsets.items():
                if at > max(self._committed.get(name, -1), self._waiting.get(name, -1)):
                    self._waiting[name] = at
            if not self._waiting:
                return
            places = [TopicPartition(self._topic, int(name), at) for name, at in self._waiting.items()]
            try:
                ask_until_answered(lambda: _checked(self._consumer.commit(offsets=places, asynchronous=False)))
            except KafkaException as error:
                if not is_passing(error):
                    raise
                _LOGGER.warning("topic %s: offsets are not committed yet: %s", self._topic, error.args[0].str())
                return
            self._committed.update(self._waiting)
            self._waiting = {}

    def close(self) -> None:
        self._consumer.close()
