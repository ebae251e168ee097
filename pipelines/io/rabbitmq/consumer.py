"""A consumer of one queue, with a thread of its own that keeps the connection alive while bundles are in work.

Deliveries have no offsets: what is not acknowledged comes again when the connection ends. A tag is good on its own
connection only, so each connection has a number, and tags of another one are forgotten.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from pipelines.io.rabbitmq.address import RabbitMQAddress, connect

MOST_PREFETCHED = 65_535
"""What AMQP can say."""
_TURN_SECONDS = 0.1
_COUNT_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 10.0
_LOGGER = logging.getLogger(__name__)
_NUMBERS = itertools.count(1)


class Delivery(NamedTuple):
    """A message: on which connection, its tag there, bytes, headers, and when it was published (seconds), if told."""

    connection: int
    tag: int
    body: bytes
    headers: dict[str, Any]
    published_seconds: int | None


class QueueConsumer:
    """Consumes a queue until it is closed. Connects again when the connection is lost.

    Args:
        address: the queue.
        prefetch: messages that may be delivered and not yet acknowledged.
        clock: microseconds since the epoch.
    """

    def __init__(self, address: RabbitMQAddress, prefetch: int, clock: Callable[[], int]) -> None:
        self._address = address
        self._prefetch = min(prefetch, MOST_PREFETCHED)
        self._clock = clock
        self._held: deque[Delivery] = deque()
        self._has_some = threading.Condition()
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None
        self._number = 0
        self._found_empty_us: int | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tidemark-rabbitmq", daemon=True)
        self._thread.start()

    def take(self, most: int, most_bytes: int, wait_seconds: float, linger_seconds: float) -> list[Delivery]:
        """Messages that were delivered; waits for a first one, if there is none, and some time for those behind it."""
        taken: list[Delivery] = []
        size, until = 0, time.monotonic() + wait_seconds
        with self._has_some:
            while len(taken) < most and size < most_bytes:
                if not self._held and not self._has_some.wait(max(0.0, until - time.monotonic())):
                    break
                if self._held:
                    until = time.monotonic() + linger_seconds if not taken else until
                    taken.append(self._held.popleft())
                    size += len(taken[-1].body)
        return taken

    def empty_at_us(self) -> int | None:
        """When the broker last said that nothing is left; None: something is, or it does not answer."""
        return self._found_empty_us

    def acknowledge(self, tags: Sequence[tuple[int, int]]) -> None:
        """Tells the broker that messages need not come again: (connection, tag) each."""
        connection, number = self._connection, self._number
        good = sorted(tag for of, tag in tags if of == number)
        if connection is None or not good:
            return
        with contextlib.suppress(AMQPError):  # lost meanwhile: they come again
            connection.add_callback_threadsafe(functools.partial(self._acknowledge, number, good))

    def close(self) -> None:
        """Ends the thread, after what was acknowledged has been told."""
        self._stop.set()
        self._thread.join(_LONGEST_PAUSE_SECONDS)

    def _acknowledge(self, number: int, tags: list[int]) -> None:
        if number == self._number and self._channel is not None and self._channel.is_open:
            for tag in tags:
                self._channel.basic_ack(tag)

    def _run(self) -> None:
        pause = 0.5
        while not self._stop.is_set():
            try:
                self._consume()
                pause = 0.5
            except (AMQPError, OSError) as error:
                _LOGGER.warning("%s: %s; trying again", self._address, self._address.explain(error))
                self._stop.wait(pause)
                pause = min(_LONGEST_PAUSE_SECONDS, 2 * pause)
            finally:
                self._forget()

    def _consume(self) -> None:
        connection = connect(self._address)
        try:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=self._prefetch)
            self._number, self._channel, self._connection = next(_NUMBERS), channel, connection
            channel.basic_consume(self._address.queue, self._delivered)
            counted = time.monotonic()
            while not self._stop.is_set():
                connection.process_data_events(_TURN_SECONDS)
                if channel.is_closed:
                    return
                if time.monotonic() - counted >= _COUNT_SECONDS:
                    counted = time.monotonic()
                    self._count(channel)
            connection.process_data_events(0)  # what was acknowledged last
        finally:
            with contextlib.suppress(AMQPError):
                if connection.is_open:
                    connection.close()

    def _delivered(self, _channel: object, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        headers = dict(properties.headers or {})
        delivery = Delivery(self._number, method.delivery_tag, body, headers, properties.timestamp)
        self._found_empty_us = None
        with self._has_some:
            self._held.append(delivery)
            self._has_some.notify_all()

    def _count(self, channel: BlockingChannel) -> None:
        asked_us = self._clock()
        left = channel.queue_declare(self._address.queue, passive=True).method.message_count
        with self._has_some:
            self._found_empty_us = asked_us if not left and not self._held else None

    def _forget(self) -> None:
        """Of a connection that is gone: what it delivered comes again."""
        self._connection = self._channel = self._found_empty_us = None
        self._number = 0
        with self._has_some:
            self._held.clear()
