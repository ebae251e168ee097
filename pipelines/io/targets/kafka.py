"""Events into a Kafka topic, acknowledged by all replicas that are in sync, keyed by whose they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from pipelines.io.targets.target import OutgoingEvent, TargetError

REQUEST_SECONDS = 15.0
DELIVERY_SECONDS = 60.0


class KafkaTarget:
    """A topic."""

    def __init__(self, brokers: str, topic: str) -> None:
        self._brokers = brokers
        self._topic = topic
        self._producer: Producer | None = None

    def check(self) -> None:
        try:
            client = AdminClient({"bootstrap.servers": self._brokers, "log_level": 0})
            found = client.list_topics(self._topic, timeout=REQUEST_SECONDS).topics[self._topic]
        except KafkaException as error:
            raise TargetError(f"{self._brokers} does not answer: {error.args[0].str()}") from error
        if found.error is not None:
            raise TargetError(f"there is no topic {self._topic!r} at {self._brokers}")

    def send(self, events: Sequence[OutgoingEvent]) -> None:
        producer = self._connected()
        refused: list[KafkaError] = []

        def delivered(error: KafkaError | None, _message: Any) -> None:
            if error is not None:
                refused.append(error)

        for event in events:
            while True:
                try:
                    producer.produce(self._topic, event.line, event.key.encode(), on_delivery=delivered)
                    break
                except BufferError:  # so many are under way: the oldest are waited for
                    producer.poll(1.0)
                except KafkaException as error:
                    raise TargetError(f"the topic {self._topic!r} refuses an event: {error.args[0].str()}") from error
            producer.poll(0)
        left = producer.flush(DELIVERY_SECONDS)
        if refused or left:
            why = refused[0].str() if refused else f"no acknowledgement within {DELIVERY_SECONDS:.0f} s"
            self._let_go(producer)
            raise TargetError(f"the topic {self._topic!r}: {len(refused) + left} events are not safe: {why}")

    def close(self) -> None:
        self._producer = None

    def _let_go(self, producer: Producer) -> None:
        """Of what was not sent, and of a producer that may never send again: a broker can forget where it was."""
        producer.purge()
        producer.flush(0)
        self._producer = None

    def _connected(self) -> Producer:
        if self._producer is None:
            self._producer = Producer(
                {
                    "bootstrap.servers": self._brokers,
                    "enable.idempotence": True,  # and with it the acknowledgement of all replicas
                    "delivery.timeout.ms": int(DELIVERY_SECONDS * 1_000) - 5_000,
                    "linger.ms": 5,
                    "log_level": 0,
                }
            )
        return self._producer
