"""Events into a RabbitMQ queue: durable messages, confirmed by the broker, refused where no queue takes them.

All of a group are sent, then all confirmations waited for (rabbitmq/publisher.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker, UnroutableError

from pipelines.io.rabbitmq.address import RabbitMQAddress, connect
from pipelines.io.rabbitmq.publisher import ConfirmingPublisher
from pipelines.io.targets.target import OutgoingEvent, TargetError

_NOT_FOUND = 404


class RabbitMQTarget:
    """A queue. A missing one is made: durable, a quorum queue, so that it survives the loss of a node."""

    def __init__(self, address: RabbitMQAddress) -> None:
        self._address = address
        self._publisher: ConfirmingPublisher | None = None

    def check(self) -> None:
        try:
            with connect(self._address) as connection:
                try:
                    connection.channel().queue_declare(self._address.queue, passive=True)
                except ChannelClosedByBroker as error:
                    if error.reply_code != _NOT_FOUND:
                        raise
                    kind = {"x-queue-type": "quorum"}
                    connection.channel().queue_declare(self._address.queue, durable=True, arguments=kind)
        except (AMQPError, OSError) as error:
            raise TargetError(f"{self._address}: {self._address.explain(error)}") from error

    def send(self, events: Sequence[OutgoingEvent]) -> None:
        messages = [(event.line, _kept(event.message_id)) for event in events]
        try:
            if self._publisher is None:
                self._publisher = ConfirmingPublisher(self._address)
            self._publisher.publish(messages)
        except UnroutableError as error:
            self.close()
            raise TargetError(f"{self._address}: there is no such queue any more") from error
        except (AMQPError, OSError) as error:
            self.close()
            raise TargetError(f"{self._address}: {self._address.explain(error)}") from error

    def close(self) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            publisher.close()


def _kept(message_id: str) -> pika.BasicProperties:
    return pika.BasicProperties(content_type="application/json", delivery_mode=2, message_id=message_id)
