"""Events into a RabbitMQ queue: durable messages, confirmed by the broker, refused where no queue takes them."""

from __future__ import annotations

from collections.abc import Sequence

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker, NackError, UnroutableError

from pipelines.io.rabbitmq.address import RabbitMQAddress, connect
from pipelines.io.targets.target import OutgoingEvent, TargetError

_NOT_FOUND = 404


class RabbitMQTarget:
    """A queue. A missing one is made: durable, a quorum queue, so that it survives the loss of a node."""

    def __init__(self, address: RabbitMQAddress) -> None:
        self._address = address
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None

    def check(self) -> None:
        try:
            try:
                self._opened().queue_declare(self._address.queue, passive=True)
            except ChannelClosedByBroker as error:
                if error.reply_code != _NOT_FOUND:
                    raise
                self._channel = None
                self._opened().queue_declare(self._address.queue, durable=True, arguments={"x-queue-type": "quorum"})
        except (AMQPError, OSError) as error:
            self.close()
            raise TargetError(f"{self._address}: {self._address.explain(error)}") from error

    def send(self, events: Sequence[OutgoingEvent]) -> None:
        try:
            channel = self._opened()
            for event in events:
                kept = pika.BasicProperties(
                    content_type="application/json", delivery_mode=2, message_id=event.message_id
                )
                channel.basic_publish("", self._address.queue, event.line, kept, mandatory=True)
        except UnroutableError as error:
            raise TargetError(f"{self._address}: there is no such queue any more") from error
        except (NackError, AMQPError, OSError) as error:
            self.close()
            raise TargetError(f"{self._address}: {self._address.explain(error)}") from error

    def close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None and connection.is_open:
            connection.close()

    def _opened(self) -> BlockingChannel:
        if self._connection is None or self._connection.is_closed:
            self._connection, self._channel = connect(self._address), None
        if self._channel is None or self._channel.is_closed:
            self._channel = self._connection.channel()
            self._channel.confirm_delivery()
        return self._channel
