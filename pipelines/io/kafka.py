"""Reads a Kafka topic through librdkafka: no Java, no rebalancing.

Partitions are dealt out to readers: reader r of n has the partitions p with p % n == r, also those that are added while
the job runs. Offsets are the job's own (the runner keeps them with its checkpoints). They are committed to the consumer
group once a batch is durable, so that a job that starts anew goes on from there.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from pipelines.io.event_time import read_event_time_us
from pipelines.io.locations import InputError, KafkaInput, did_you_mean
from pipelines.io.source_options import SourceOptions
from pipelines.io.stream_source import Batch, Progress, Record, now_us
from pipelines.io.watermark import StreamWatermark
from schemas.message import Message

REQUEST_SECONDS = 15.0
IDLE_CHECK_SECONDS = 1.0
PREFETCH_KILOBYTES = 16 * 1024
_CHUNK_RECORDS = 500
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class KafkaSource:
    """A topic as a stream of messages. `clock` gives microseconds since the epoch."""

    location: KafkaInput
    options: SourceOptions
    clock: Callable[[], int] = now_us
    readers: int = 1

    @property
    def text(self) -> str:
        return self.location.text

    @property
    def group(self) -> str:
        return self.location.group or self.options.group

    def settings(self) -> dict[str, object]:
        """The client's configuration. The user's settings win, save for those that decide how offsets are kept."""
        return {
            "queued.max.messages.kbytes": PREFETCH_KILOBYTES,
            "auto.offset.reset": "earliest",
            **self.options.kafka_settings,
            "bootstrap.servers": self.location.brokers,
            "group.id": self.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
        }

    def count_readers(self) -> int:
        consumer = Consumer(self.settings())
        try:
            partitions = find_partitions(consumer, self.location)
        except KafkaException as error:
            reason = error.args[0].str()
            raise InputError(f"--input {self.text}: {self.location.brokers} does not answer: {reason}") from error
        finally:
            consumer.close()
        return min(self.options.kafka_readers or len(partitions), len(partitions))

    def start(self, reader: int) -> Progress:
        client = _take(self, reader)
        try:
            mine = self._partitions_of(client.consumer, reader)
            positions = self._start_positions(client.consumer, mine)
            stops = None
            if self.location.until_now:
                stops = {
                    name: max(at, _end(client.consumer, self.location.topic, name)) for name, at in positions.items()
                }
            return Progress(positions, stops)
        finally:
            _give_back(self, reader, client)

    def read(self, reader: int, progress: Progress, watermark: StreamWatermark) -> Batch:
        client = _take(self, reader)
        try:
            batch = self._read(client, reader, progress, watermark)
        except BaseException:
            client.consumer.close()
            raise
        _give_back(self, reader, client)
        return batch

    def acknowledge(self, token: bytes) -> None:
        offsets: dict[str, int] = json.loads(token)
        if offsets:
            _committer(self).commit(offsets)

    def _read(self, client: _Client, reader: int, progress: Progress, watermark: StreamWatermark) -> Batch:
        if progress.stops is None and client.is_due("partitions", self.options.refresh_seconds):
            mine = self._partitions_of(client.consumer, reader)
            added = [name for name in mine if name not in progress.positions]
            progress = progress.move_to({**progress.positions, **self._start_positions(client.consumer, added)})
        watermark.track(progress.positions)
        client.stand_at(progress.remaining())
        records: list[Record] = []
        latest: dict[str, int] = {}
        for found in client.poll(self.options, progress.stops):
            name, record = str(found.partition()), self._record(found)
            latest[name] = max(latest.get(name, record.event_us), record.event_us)
            records.append(record)
        for name, event_us in latest.items():
            watermark.observe(name, event_us, self.clock())
        quiet = [name for name in client.positions if name not in latest]
        if quiet and len(records) < self.options.max_poll_records and client.is_due("idle", IDLE_CHECK_SECONDS):
            self._look_for_idle(client, quiet, watermark)
        moved = {name: at for name, at in client.positions.items() if at != progress.positions[name]}
        # Partitions that were just found belong to the positions even before anything was read from them.
        return Batch(records, {**progress.positions, **client.positions}, json.dumps(moved).encode())

    def _record(self, found: KafkaMessage) -> Record:
        kind, milliseconds = found.timestamp()
        now = self.clock()
        arrived_us = now if kind == TIMESTAMP_NOT_AVAILABLE else min(milliseconds * 1_000, now)
        raw: bytes = found.value() or b""
        headers: Sequence[tuple[str, bytes | None]] = found.headers() or ()  # type: ignore[assignment]  # stubs are wider
        attributes = {name: (value or b"").decode("utf-8", "replace") for name, value in headers}
        return Record(Message(raw, self.text, attributes), read_event_time_us(raw, arrived_us))

    def _look_for_idle(self, client: _Client, quiet: Sequence[str], watermark: StreamWatermark) -> None:
        """Asks the broker whether the partitions that gave nothing are empty. No answer is no sign of emptiness."""
        for name in quiet:
            asked_us = self.clock()
            try:
                end = _end(client.consumer, self.location.topic, name)
            except KafkaException as error:
                _LOGGER.warning("partition %s of %s: end not known: %s", name, self.location.topic, error.args[0].str())
                return
            if end > client.positions[name]:
                watermark.found_behind(name)
            else:
                watermark.found_empty(name, asked_us)

    def _partitions_of(self, consumer: Consumer, reader: int) -> list[str]:
        partitions = find_partitions(consumer, self.location)
        return [str(partition) for partition in partitions if partition % self.readers == reader]

    def _start_positions(self, consumer: Consumer, names: Sequence[str]) -> dict[str, int]:
        """After what the group committed; from the first record where that is nothing, or nothing that still exists."""
        if not names:
            return {}
        asked = [TopicPartition(self.location.topic, int(name)) for name in names]
        positions = {}
        for answer in consumer.committed(asked, timeout=REQUEST_SECONDS):
            low, high = consumer.get_watermark_offsets(answer, timeout=REQUEST_SECONDS)
            usable = low <= answer.offset <= high
            if answer.offset >= 0 and not usable:
                _LOGGER.warning(
                    "partition %d of %s: committed offset %d is not between %d and %d any more; reading from %d",
                    *(answer.partition, answer.topic, answer.offset, low, high, low),
                )
            positions[str(answer.partition)] = answer.offset if usable else low
        return positions


def find_partitions(consumer: Consumer, location: KafkaInput) -> list[int]:
    """The topic's partitions.

    Raises:
        InputError: there is no such topic; names the closest one.
        KafkaException: no broker answers.
    """
    found = consumer.list_topics(location.topic, timeout=REQUEST_SECONDS).topics[location.topic]
    if found.error is not None and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        topics = consumer.list_topics(timeout=REQUEST_SECONDS).topics
        close = did_you_mean(location.topic, [name for name in topics if not name.startswith("__")])
        raise InputError(f"--input {location.text}: there is no topic {location.topic!r}{close}")
    if found.error is not None:
        raise KafkaException(found.error)
    return sorted(found.partitions)


def _end(consumer: Consumer, topic: str, partition: str) -> int:
    """The offset after the last record that can be read now."""
    high: int = consumer.get_watermark_offsets(TopicPartition(topic, int(partition)), timeout=REQUEST_SECONDS)[1]
    return high


class _Client:
    """A consumer and where it stands: kept from batch to batch, since connecting costs more than reading."""

    def __init__(self, source: KafkaSource) -> None:
        self.consumer = Consumer(source.settings())
        self.topic = source.location.topic
        self.positions: dict[str, int] = {}
        self._done_at: dict[str, float] = {}

    def is_due(self, task: str, seconds: float) -> bool:
        """Whether `task` was last due more than `seconds` ago; if so, it counts as done now."""
        now = time.monotonic()
        if now - self._done_at.get(task, -seconds) < seconds:
            return False
        self._done_at[task] = now
        return True

    def stand_at(self, positions: Mapping[str, int]) -> None:
        """Makes the next record the one at `positions`, which after a failed or moved batch is not where it stands."""
        if positions != self.positions:
            self.positions = dict(positions)
            self.consumer.assign([TopicPartition(self.topic, int(name), at) for name, at in positions.items()])

    def poll(self, options: SourceOptions, stops: Mapping[str, int] | None) -> list[KafkaMessage]:
        """Waits for a first record, then takes what is there, up to the limits. Moves the positions."""
        if not self.positions:
            return []
        records: list[KafkaMessage] = []
        size_bytes = 0
        found = self.consumer.consume(1, timeout=options.poll_seconds)
        while found:
            for message in found:
                if self._accept(message, stops):
                    records.append(message)
                    size_bytes += len(message)
            left = options.max_poll_records - len(records)
            if left <= 0 or size_bytes >= options.max_poll_bytes:
                break
            found = self.consumer.consume(min(left, _CHUNK_RECORDS), timeout=0)
        return records

    def _accept(self, message: KafkaMessage, stops: Mapping[str, int] | None) -> bool:
        name, error = str(message.partition()), message.error()
        at: int = message.offset()  # type: ignore[assignment]  # None only where a message was made by hand
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                # Transaction markers and compacted records fill offsets that no record ever has.
                at = at if stops is None else min(at, stops[name])
                self.positions[name] = max(self.positions[name], at)
            elif not error.retriable():
                raise KafkaException(error)
            return False
        if stops is not None and at >= stops[name]:
            self.positions[name] = stops[name]
            return False
        self.positions[name] = at + 1
        return True


class _Committer:
    """Commits offsets of one group and topic, never backwards: batches may be acknowledged out of order."""

    def __init__(self, source: KafkaSource) -> None:
        self._consumer = Consumer(source.settings())
        self._topic = source.location.topic
        self._committed: dict[str, int] = {}
        self._lock = threading.Lock()

    def commit(self, offsets: Mapping[str, int]) -> None:
        with self._lock:
            news = {name: at for name, at in offsets.items() if at > self._committed.get(name, -1)}
            if not news:
                return
            places = [TopicPartition(self._topic, int(name), at) for name, at in news.items()]
            for answer in self._consumer.commit(offsets=places, asynchronous=False) or ():
                if answer.error is not None:
                    raise KafkaException(answer.error)
            self._committed.update(news)

    def close(self) -> None:
        self._consumer.close()


# Connections of this worker process. A reader's client is here while no batch is using it.
_LOCK = threading.Lock()
_CLIENTS: dict[tuple[KafkaInput, str, int], _Client] = {}
_COMMITTERS: dict[tuple[KafkaInput, str], _Committer] = {}


def _take(source: KafkaSource, reader: int) -> _Client:
    with _LOCK:
        client = _CLIENTS.pop((source.location, source.group, reader), None)
    return client or _Client(source)


def _give_back(source: KafkaSource, reader: int, client: _Client) -> None:
    with _LOCK:
        other = _CLIENTS.get((source.location, source.group, reader))
        _CLIENTS[source.location, source.group, reader] = client
    if other is not None:
        other.consumer.close()


def _committer(source: KafkaSource) -> _Committer:
    with _LOCK:
        key = (source.location, source.group)
        if key not in _COMMITTERS:
            _COMMITTERS[key] = _Committer(source)
        return _COMMITTERS[key]


def close_connections() -> None:
    """Closes what this process holds open. For the end of a worker and of a test."""
    with _LOCK:
        clients, committers = list(_CLIENTS.values()), list(_COMMITTERS.values())
        _CLIENTS.clear()
        _COMMITTERS.clear()
    for holder in clients:
        holder.consumer.close()
    for committer in committers:
        committer.close()
