"""Events into a Pub/Sub topic. `PUBSUB_EMULATOR_HOST` is honoured."""

from __future__ import annotations

from collections.abc import Sequence

from google.api_core import exceptions
from google.api_core.exceptions import GoogleAPICallError, NotFound, PermissionDenied, RetryError
from google.api_core.retry import Retry, if_exception_type
from google.cloud.pubsub_v1 import PublisherClient
from google.cloud.pubsub_v1.futures import Future
from google.cloud.pubsub_v1.types import PublisherOptions

from pipelines.io.targets.target import OutgoingEvent, TargetError

REQUEST_SECONDS = 15.0
DELIVERY_SECONDS = 60.0
_PASSING = if_exception_type(
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.ServiceUnavailable,
    exceptions.Unknown,
)
_RETRY = Retry(predicate=_PASSING, initial=0.1, maximum=5.0, multiplier=2.0, timeout=DELIVERY_SECONDS - 5)
"""The client's own goes on for ten minutes, with what nobody waits for any more."""


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
        faults = [fault for published in waiting if (fault := _fault(published)) is not None]
        if faults:
            self.close()  # a new connection is tried at once, an old one after up to two minutes
            why = type(faults[0]).__name__
            raise TargetError(f"the topic {self._topic!r}: {len(faults)} events are not safe: {why}") from faults[0]

    def close(self) -> None:
        if self._client is not None:
            self._client.stop()
            self._client.transport.close()
            self._client = None

    def _connected(self) -> PublisherClient:
        if self._client is None:
            options = PublisherOptions(retry=_RETRY, timeout=DELIVERY_SECONDS - 5)
            self._client = PublisherClient(publisher_options=options)
        return self._client


def _fault(published: Future) -> Exception | None:
    """Why a message was not published, once that is known."""
    try:
        published.result(timeout=DELIVERY_SECONDS)
    except (GoogleAPICallError, RetryError, TimeoutError) as error:
        return error
    return None
