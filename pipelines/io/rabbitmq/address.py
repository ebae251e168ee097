"""Where a RabbitMQ queue is: `amqp://USER:PASSWORD@HOST:PORT/VHOST?queue=NAME`, and how it is reached."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    import pika

SCHEMES = ("amqp", "amqps")
FORM = "amqp://USER:PASSWORD@HOST:PORT/VHOST?queue=NAME (amqps:// with TLS)"
DEFAULT_QUEUE = "events"
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class RabbitMQAddress:
    """A queue. `url` may hold a password; the text of this does not."""

    url: str
    queue: str

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}{parts.path}?queue={self.queue}"

    def __repr__(self) -> str:
        return f"RabbitMQAddress({str(self)!r})"

    def explain(self, error: BaseException) -> str:
        """Why the broker cannot be used, without what is secret."""
        from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker, ProbableAuthenticationError

        if isinstance(error, ProbableAuthenticationError):
            return "the broker refuses the user or the password"
        if isinstance(error, ChannelClosedByBroker):
            return f"the broker says {error.reply_code}: {error.reply_text}"
        if isinstance(error, AMQPConnectionError | OSError):
            return "the broker does not answer"
        return type(error).__name__


@dataclass(frozen=True, slots=True)
class RabbitMQInput:
    """A queue as an input. `text` is without the password, which is in the address."""

    text: str
    address: RabbitMQAddress
    bounded: ClassVar[bool] = False


def parse_address(text: str) -> RabbitMQAddress:
    """Reads an address. The virtual host is `/` where none is named, the queue `events`.

    >>> str(parse_address("amqp://me:secret@localhost:5672/shop?queue=clicks"))
    'amqp://localhost:5672/shop?queue=clicks'

    Raises:
        ValueError: it is none; the text says what is wrong, and holds no password.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("the port is no number from 1 to 65535") from None
    if parts.scheme not in SCHEMES or not parts.hostname or port == 0:
        raise ValueError("there is no host")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    queue = options.pop("queue", DEFAULT_QUEUE)
    if options:
        raise ValueError(f"unknown option {next(iter(options))!r}, there is only 'queue'")
    if not re.fullmatch(r"[^\x00-\x1f]{1,255}", queue) or queue.startswith("amq."):
        raise ValueError(f"{queue!r} is no name of a queue")
    # The path "/" alone is what people write for the default virtual host; AMQP takes it for a host without a name.
    path = parts.path if unquote(parts.path.removeprefix("/")) else "/%2F"
    return RabbitMQAddress(f"{parts.scheme}://{parts.netloc}{path}", queue)


def connect(address: RabbitMQAddress) -> pika.BlockingConnection:
    """A connection, within ten seconds or not at all.

    Raises:
        pika.exceptions.AMQPError, OSError: it cannot be made.
    """
    import pika

    return pika.BlockingConnection(parameters_of(address))


def parameters_of(address: RabbitMQAddress) -> pika.URLParameters:
    """How a broker is reached, and how long it is waited for."""
    import pika

    parameters = pika.URLParameters(address.url)
    parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = TIMEOUT_SECONDS
    return parameters
