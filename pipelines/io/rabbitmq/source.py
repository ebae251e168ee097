"""Reads a RabbitMQ queue, and acknowledges once a batch is durable."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pika.exceptions import AMQPError, ChannelClosedByBroker

from pipelines.io.rabbitmq.address import RabbitMQInput, connect
from pipelines.io.rabbitmq.consumer import MOST_PREFETCHED, Delivery, QueueConsumer
from pipelines.io.stream.event_time import read_event_time_us
from pipelines.io.stream.source import Batch, Progress, Reader, Record, now_us
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark
from schemas.errors import InputError
from schemas.message import Message
from transforms.state.process import PROCESS, Registry

_ALL = "queue"  # the one partition of the watermark


@dataclass(frozen=True)
class RabbitMQSource:
    """A queue as a stream of messages. `clock` gives microseconds since the epoch.

    The position is the number of messages read, which only shows progress: the broker knows what is left.
    """

    location: RabbitMQInput
    options: SourceOptions
    clock: Callable[[], int] = now_us

    @property
    def text(self) -> str:
        return self.location.text

    def count_readers(self) -> int:
        address = self.location.address
        try:
            connection = connect(address)
            try:
                connection.channel().queue_declare(address.queue, passive=True)
            finally:
                if connection.is_open:
                    connection.close()
        except ChannelClosedByBroker as error:
            raise InputError(f"--input {self.text}: there is no queue {address.queue!r}: {error.reply_text}") from error
        except (AMQPError, OSError) as error:
            raise InputError(f"--input {self.text}: {address.explain(error)}") from error
        return 1

    def start(self, reader: Reader) -> Progress:
        return Progress({_ALL: 0})

    def read(self, reader: Reader, progress: Progress, watermark: StreamWatermark) -> Batch:
        watermark.track([_ALL])
        consumer = _consumer(self)
        options = self.options
        found = consumer.take(
            options.max_poll_records, options.max_poll_bytes, options.pull_seconds, options.linger_seconds
        )
        if not found:
            empty_us = consumer.empty_at_us()
            if empty_us is None:
                watermark.found_behind(_ALL)
            else:
                watermark.found_empty(_ALL, empty_us)
            return Batch([], dict(progress.positions))
        records = [self._record(delivery) for delivery in found]
        watermark.observe(_ALL, max(record.event_us for record in records), self.clock())
        token = json.dumps([(delivery.connection, delivery.tag) for delivery in found]).encode()
        return Batch(records, {_ALL: progress.positions[_ALL] + len(records)}, token)

    def acknowledge(self, tokens: Sequence[bytes]) -> None:
        _consumer(self).acknowledge([(of, tag) for token in tokens for of, tag in json.loads(token)])

    @property
    def prefetch(self) -> int:
        """Messages in work: two bundles of them, or as many as can be where they wait until they are written."""
        in_bundles = self.options.acknowledge == "bundle"
        return min(2 * self.options.max_poll_records, MOST_PREFETCHED) if in_bundles else MOST_PREFETCHED

    def _record(self, delivery: Delivery) -> Record:
        now = self.clock()
        told = delivery.published_seconds
        arrived_us = now if told is None else min(told * 1_000_000 + 999_999, now)
        attributes = {str(name): str(value) for name, value in delivery.headers.items()}
        message = Message(delivery.body, self.text, attributes, came_us=arrived_us)
        return Record(message, read_event_time_us(delivery.body, arrived_us))


_CONSUMERS: Registry[RabbitMQInput, QueueConsumer] = PROCESS.registry(QueueConsumer.close)


def _consumer(source: RabbitMQSource) -> QueueConsumer:
    """This process's consumer of the queue."""
    location = source.location
    return _CONSUMERS.get(location, lambda: QueueConsumer(location.address, source.prefetch, source.clock))
