"""Reads a Kafka topic through librdkafka: no Java, no rebalancing.

Partitions are dealt out to readers: reader r of n has the partitions p with p % n == r, also those that are added while
the job runs. Offsets are the job's own (the runner keeps them with its checkpoints). They are committed to the consumer
group once a batch is durable, so that a job that starts anew goes on from there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, KafkaError, KafkaException
from confluent_kafka import Message as KafkaMessage
from confluent_kafka.admin import AdminClient

from pipelines.io.kafka.client import (
    END_OFFSETS,
    FIRST_OFFSETS,
    REQUEST_SECONDS,
    Committer,
    ReaderClient,
    Settings,
    ask_until_answered,
    is_passing,
)
from pipelines.io.locations import KafkaInput
from pipelines.io.stream.found_records import received_records
from pipelines.io.stream.source import Batch, Progress, Reader, Record, now_us
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark
from schemas.errors import InputError, did_you_mean
from schemas.message import Message
from transforms.state.process import PROCESS, Registry

START_SECONDS = 120.0
"""How long a reader that begins waits for a broker: the job was launched while there was one."""
IDLE_CHECK_SECONDS = 1.0
PAUSE_SECONDS = 0.1
PREFETCH_KILOBYTES = 16 * 1024
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class KafkaSource:
    """A topic as a stream of messages. `clock` gives microseconds since the epoch."""

    location: KafkaInput
    options: SourceOptions
    clock: Callable[[], int] = now_us

    @property
    def text(self) -> str:
        return self.location.text

    @property
    def group(self) -> str:
        return self.location.group or self.options.group

    def connection_settings(self) -> Settings:
        """What it takes to reach the brokers. They and the group are the location's, the rest is the user's."""
        settings = {**self.options.kafka_settings, "bootstrap.servers": self.location.brokers}
        consumers_only = ("group.", "auto.", "fetch.", "queued.", "session.", "isolation.")
        return {name: value for name, value in settings.items() if not name.startswith(consumers_only)}

    def consumer_settings(self) -> Settings:
        """The consumer's configuration. The user's settings win, save for those that decide how offsets are kept."""
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
        try:
            partitions = find_partitions(AdminClient(self.connection_settings()), self.location)
        except KafkaException as error:
            reason = error.args[0].str()
            raise InputError(f"--input {self.text}: {self.location.brokers} does not answer: {reason}") from error
        return min(self.options.kafka_readers or len(partitions), len(partitions))

    def start(self, reader: Reader) -> Progress:
        client = _take(self, reader)
        mine = ask_until_answered(lambda: self._partitions_of(client, reader), START_SECONDS)
        positions = self._start_positions(client, mine)
        stops = None
        if self.location.until_now:
            stops = {name: max(positions[name], end) for name, end in client.ask_offsets(mine, END_OFFSETS).items()}
        _give_back(self, reader, client)
        return Progress(positions, stops)

    def read(self, reader: Reader, progress: Progress, watermark: StreamWatermark) -> Batch:
        client = _take(self, reader)
        try:
            batch = self._read(client, reader, progress, watermark)
        except BaseException:
            client.consumer.close()
            raise
        _give_back(self, reader, client)
        return batch

    def acknowledge(self, tokens: Sequence[bytes]) -> None:
        offsets: dict[str, int] = {}
        for token in tokens:
            for name, at in json.loads(token).items():
                offsets[name] = max(at, offsets.get(name, at))
        _committer(self).commit(offsets)

    def _read(self, client: ReaderClient, reader: Reader, progress: Progress, watermark: StreamWatermark) -> Batch:
        positions = dict(progress.positions)
        if progress.stops is None and client.is_due("partitions", self.options.refresh_seconds):
            positions.update(self._added(client, reader, positions))
        watermark.track(positions)
        client.stand_at(Progress(positions, progress.stops).remaining())
        if self.options.acknowledge == "written" and self._is_too_far_ahead(client, watermark):
            for name in client.positions:
                watermark.found_behind(name)
            return Batch([], positions, wait_seconds=PAUSE_SECONDS)
        records: list[Record] = []
        latest: dict[str, int] = {}
        for found in client.poll(self.options, progress.stops):
            name = str(found.partition())
            for record in self._records(found):
                latest[name] = max(latest.get(name, record.event_us), record.event_us)
                records.append(record)
        for name, event_us in latest.items():
            watermark.observe(name, event_us, self.clock())
        if latest:
            client.note_read(max(latest.values()))
        if len(records) < self.options.max_poll_records:
            self._look_for_idle(client, latest, watermark)
        moved = {name: at for name, at in client.positions.items() if at != progress.positions.get(name)}
        token = json.dumps(moved).encode() if moved else b""
        return Batch(records, {**positions, **client.positions}, token)

    def _is_too_far_ahead(self, client: ReaderClient, watermark: StreamWatermark) -> bool:
        limit = self.options.max_in_flight
        return client.count_unwritten(watermark.current_us(), limit) > limit

    def _records(self, found: KafkaMessage) -> Iterator[Record]:
        kind, milliseconds = found.timestamp()
        now = self.clock()
        arrived_us = now if kind == TIMESTAMP_NOT_AVAILABLE else min(milliseconds * 1_000, now)
        raw: bytes = found.value() or b""
        headers: Sequence[tuple[str, bytes | None]] = found.headers() or ()  # type: ignore[assignment]  # stubs are wider
        attributes = {name: (value or b"").decode("utf-8", "replace") for name, value in headers}
        return received_records(Message(raw, self.text, attributes), arrived_us, self.options.epoch)

    def _look_for_idle(self, client: ReaderClient, latest: Mapping[str, int], watermark: StreamWatermark) -> None:
        """Asks the broker whether the partitions that give nothing are empty. No answer is no sign of emptiness."""
        for name, end in client.answered_ends(latest, self.text).items():
            if client.positions.get(name, -1) < end:
                watermark.found_behind(name)
            else:
                watermark.found_empty(name, client.asked_us)
        quiet = [name for name in client.positions if name not in latest]
        if quiet and client.is_due("idle", IDLE_CHECK_SECONDS):
            client.ask_ends(quiet, self.clock())

    def _partitions_of(self, client: ReaderClient, reader: Reader) -> list[str]:
        partitions = find_partitions(client.admin, self.location)
        return [str(partition) for partition in partitions if partition % reader.of == reader.number]

    def _added(self, client: ReaderClient, reader: Reader, known: Mapping[str, int]) -> dict[str, int]:
        """Where to begin with partitions that are new; while no broker answers there are none."""
        try:
            added = [name for name in self._partitions_of(client, reader) if name not in known]
            return self._start_positions(client, added)
        except KafkaException as error:
            if not is_passing(error):
                raise
            _LOGGER.warning("%s: %s; trying again", self.text, error.args[0].str())
            return {}

    def _start_positions(self, client: ReaderClient, names: Sequence[str]) -> dict[str, int]:
        """After what the group committed; from the first record where that is nothing, or nothing that still exists."""
        if not names:
            return {}
        first = client.ask_offsets(names, FIRST_OFFSETS)
        if self.location.from_first:
            return first
        end = client.ask_offsets(names, END_OFFSETS)
        positions = {}
        for name, committed in client.committed(names).items():
            usable = first[name] <= committed <= end[name]
            if committed >= 0 and not usable:
                _LOGGER.warning(
                    "partition %s of %s: the committed offset %d is not between %d and %d any more",
                    *(name, self.location.topic, committed, first[name], end[name]),
                )
            positions[name] = committed if usable else first[name]
        return positions


def find_partitions(admin: AdminClient, location: KafkaInput) -> list[int]:
    """The topic's partitions.

    Raises:
        InputError: there is no such topic; names the closest one.
        KafkaException: no broker answers.
    """
    found = admin.list_topics(location.topic, timeout=REQUEST_SECONDS).topics[location.topic]
    if found.error is not None and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        topics = admin.list_topics(timeout=REQUEST_SECONDS).topics
        close = did_you_mean(location.topic, [name for name in topics if not name.startswith("__")])
        raise InputError(f"--input {location.text}: there is no topic {location.topic!r}{close}")
    if found.error is not None:
        raise KafkaException(found.error)
    return sorted(found.partitions)


# Connections of this worker process. A reader's client is here while no batch is using it.
_COMMITTERS: Registry[tuple[KafkaInput, str], Committer] = PROCESS.registry(Committer.close)
_CLIENTS: Registry[tuple[KafkaInput, str, Reader], ReaderClient] = PROCESS.registry(
    lambda client: client.consumer.close()
)


def _take(source: KafkaSource, reader: Reader) -> ReaderClient:
    client = _CLIENTS.take((source.location, source.group, reader))
    return client or ReaderClient(source.location.topic, source.consumer_settings(), source.connection_settings())


def _give_back(source: KafkaSource, reader: Reader, client: ReaderClient) -> None:
    other = _CLIENTS.put((source.location, source.group, reader), client)
    if other is not None:
        other.consumer.close()


def _committer(source: KafkaSource) -> Committer:
    key = (source.location, source.group)
    return _COMMITTERS.get(key, lambda: Committer(source.location.topic, source.consumer_settings()))
