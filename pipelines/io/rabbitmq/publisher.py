"""Publishes to a queue and waits for the broker's confirmations of all messages together.

pika's blocking channel waits for each message alone, which costs a round trip and the broker's fsync each time. Here
the messages of a group are on their way at once, and the broker confirms them as it has them, many with one answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pika
from pika.channel import Channel
from pika.exceptions import AMQPConnectionError, NackError, UnroutableError

from pipelines.io.rabbitmq.address import TIMEOUT_SECONDS, RabbitMQAddress, parameters_of

Outgoing = tuple[bytes, pika.BasicProperties]
"""(body, properties)."""


class ConfirmingPublisher:
    """A connection of its own, with one channel. Not shared between threads. Any fault ends it: close it, make another.

    Raises:
        pika.exceptions.AMQPError, OSError: it cannot be made.
    """

    def __init__(self, address: RabbitMQAddress) -> None:
        self._queue = address.queue
        self._fault: BaseException | None = None
        self._channel: Channel | None = None
        self._is_ready = self._has_given_up = False
        self._sent = 0
        self._unconfirmed: set[int] = set()
        self._connection = pika.SelectConnection(
            parameters_of(address),
            on_open_callback=self._connected,
            on_open_error_callback=self._failed,
            on_close_callback=self._failed,
        )
        try:
            self._loop_until(lambda: self._is_ready)
        except BaseException:
            self.close()
            raise

    def publish(self, messages: Iterable[Outgoing]) -> None:
        """Sends all of them; when it returns the broker has each, on its disk where the queue is durable.

        Raises:
            pika.exceptions.UnroutableError: there is no such queue.
            pika.exceptions.NackError: the broker could not take one.
            pika.exceptions.AMQPError, OSError: the connection ended, or there was no answer for ten seconds.
        """
        if self._channel is None:
            raise RuntimeError("the constructor waits for the channel")
        self._check()
        for body, properties in messages:
            self._channel.basic_publish("", self._queue, body, properties, mandatory=True)
            self._sent += 1
            self._unconfirmed.add(self._sent)
        self._loop_until(lambda: not self._unconfirmed)

    def close(self) -> None:
        """Hangs up. What is not confirmed may be there or not."""
        self._connection.ioloop.call_later(TIMEOUT_SECONDS, self._give_up)
        if self._connection.is_open:
            self._connection.close()
        while not (self._connection.is_closed or self._has_given_up):
            self._connection.ioloop.start()  # until a callback stops it
        self._connection.ioloop.close()

    # --- what the broker says -----------------------------------------------------------------------------------------

    def _connected(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._opened)

    def _opened(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._failed)
        channel.add_on_return_callback(lambda *_: self._failed(None, UnroutableError([])))
        channel.confirm_delivery(self._confirmed, callback=self._ready)

    def _ready(self, _frame: Any) -> None:
        self._is_ready = True
        self._stop()

    def _confirmed(self, frame: Any) -> None:
        tag, multiple = frame.method.delivery_tag, frame.method.multiple
        if isinstance(frame.method, pika.spec.Basic.Nack):
            self._failed(None, NackError([]))
        self._unconfirmed -= {one for one in self._unconfirmed if one <= tag} if multiple else {tag}
        self._stop()

    def _failed(self, _of: Any, error: BaseException | str) -> None:
        if self._fault is None:
            self._fault = error if isinstance(error, BaseException) else AMQPConnectionError(error)
        self._stop()

    # --- waiting ------------------------------------------------------------------------------------------------------

    def _loop_until(self, holds: Callable[[], bool]) -> None:
        """Serves the connection; gives up when nothing comes for ten seconds."""
        while self._fault is None and not holds():
            silence = self._connection.ioloop.call_later(
                TIMEOUT_SECONDS, lambda: self._failed(None, AMQPConnectionError("no answer"))
            )
            self._connection.ioloop.start()
            self._connection.ioloop.remove_timeout(silence)
        self._check()

    def _give_up(self) -> None:
        self._has_given_up = True
        self._stop()

    def _check(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _stop(self) -> None:
        self._connection.ioloop.stop()
