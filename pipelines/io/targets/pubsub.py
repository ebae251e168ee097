"""Events into a Pub/Sub topic. `PUBSUB_EMULATOR_HOST` is honoured."""

from __future__ import annotations

from collections.abc import Sequence

from google.api_core.exceptions import GoogleAPICallError, NotFound, PermissionDenied, RetryError
from google.cloud.pubsub_v1 import PublisherClient

from pipelines.io.targets.target import OutgoingEvent, TargetError

REQUEST_SECONDS = 15.0
DELIVERY_SECONDS = 60.0


class PubSubTarget:
    """A topic: `projects/P/topics/T`."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._client: PublisherClient | None = None

    def check(self) -> None:
        try:
            self._connected().get_topic(topic=self._topic, timeout=REQUEST_SECONDS, retry=None)
        except NotFound as error:
            raise TargetError(f"there is no topic {self._topic!r}") from error
        except PermissionDenied:
            return  # whoever may publish need not be allowed to look
        except GoogleAPICallError as error:
            raise TargetError(f"Pub/Sub does not answer: {error.message}") from error

    def send(self, events: Sequence[OutgoingEvent]) -> None:
        client = self._connected()
        waiting = [client.publish(self._topic, event.line, messageId=event.message_id) for event in events]
        try:
            for published in waiting:
                published.result(timeout=DELIVERY_SECONDS)
        except (GoogleAPICallError, RetryError, TimeoutError) as error:
            raise TargetError(f"the topic {self._topic!r}: events are not safe: {type(error).__name__}") from error

    def close(self) -> None:
        if self._client is not None:
            self._client.stop()
            self._client.transport.close()
            self._client = None

    def _connected(self) -> PublisherClient:
        if self._client is None:
            self._client = PublisherClient()
        return self._client
