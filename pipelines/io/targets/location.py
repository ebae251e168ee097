"""Reads `--events`: where a command puts the events that it makes. Touches nothing outside.

| form | events go |
| --- | --- |
| `spool:DIR`, `files:DIR` | into NDJSON files that appear when they are complete |
| `kafka:HOST:PORT[,HOST:PORT...]/TOPIC` | into a topic |
| `pubsub:projects/PROJECT/topics/TOPIC` | into a topic |
| `amqp://USER:PASSWORD@HOST:PORT/VHOST?queue=NAME` | into a queue of RabbitMQ |
| `kinesis:REGION/STREAM[?endpoint=URL]` | into a stream |
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl

from pipelines.io.kinesis import address as kinesis
from pipelines.io.rabbitmq import address as rabbitmq
from pipelines.io.targets.target import EventTarget, TargetError
from schemas.errors import did_you_mean

_FORMS = {
    "spool": "spool:DIR",
    "files": "files:DIR",
    "kafka": "kafka:HOST:PORT[,HOST:PORT...]/TOPIC",
    "pubsub": "pubsub:projects/PROJECT/topics/TOPIC",
    "amqp": rabbitmq.FORM,
    "amqps": rabbitmq.FORM,
    "kinesis": kinesis.FORM,
}
KINDS = tuple(_FORMS)


def parse_target(text: str) -> EventTarget:
    """The target that a text names, not connected yet.

    Raises:
        TargetError: it names none; says what was expected.
    """
    kind, separator, rest = text.partition(":")
    if not separator or kind not in _FORMS:
        expected = ", ".join(_FORMS[name] for name in ("spool", "kafka", "pubsub", "amqp", "kinesis"))
        shown = kind if separator else text
        raise TargetError(f"--events {shown!r}: expected {expected}{did_you_mean(kind, KINDS)}")
    return _PARSERS[kind](text, rest)


def shown_target(text: str) -> str:
    """The target as it may be told: without a password."""
    return str(rabbitmq.parse_address(text)) if text.partition(":")[0] in rabbitmq.SCHEMES else text


def _parse_spool(text: str, rest: str) -> EventTarget:
    from pipelines.io.targets.spool import SpoolTarget

    if not rest.strip() or "://" in rest:
        raise TargetError(f"--events {text}: expected {_FORMS['spool']}, a local folder")
    return SpoolTarget(rest)


def _parse_kafka(text: str, rest: str) -> EventTarget:
    from pipelines.io.targets.kafka import KafkaTarget

    brokers, _, topic = rest.partition("/")
    broker = r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):\d{1,5}"
    if not re.fullmatch(rf"{broker}(,{broker})*", brokers) or not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", topic):
        raise TargetError(f"--events {text}: expected {_FORMS['kafka']}")
    return KafkaTarget(brokers, topic)


def _parse_pubsub(text: str, rest: str) -> EventTarget:
    from pipelines.io.targets.pubsub import PubSubTarget

    if not re.fullmatch(r"projects/[^/]+/topics/[^/]+", rest):
        raise TargetError(f"--events {text}: expected {_FORMS['pubsub']}")
    return PubSubTarget(rest)


def _parse_rabbitmq(text: str, _rest: str) -> EventTarget:
    from pipelines.io.targets.rabbitmq import RabbitMQTarget

    try:
        return RabbitMQTarget(rabbitmq.parse_address(text))
    except ValueError as error:
        raise TargetError(f"--events {text.partition(':')[0]}://...: {error}; expected {_FORMS['amqp']}") from None


def _parse_kinesis(text: str, rest: str) -> EventTarget:
    from pipelines.io.targets.kinesis import KinesisTarget

    path, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    try:
        endpoint = options.pop("endpoint", "")
        if options:
            raise ValueError(f"unknown option {next(iter(options))!r}, there is only 'endpoint'")
        return KinesisTarget(kinesis.make_address(path, endpoint))
    except ValueError as error:
        raise TargetError(f"--events {text}: {error}; expected {_FORMS['kinesis']}") from None


_PARSERS: dict[str, Callable[[str, str], EventTarget]] = {
    "spool": _parse_spool,
    "files": _parse_spool,
    "kafka": _parse_kafka,
    "pubsub": _parse_pubsub,
    "amqp": _parse_rabbitmq,
    "amqps": _parse_rabbitmq,
    "kinesis": _parse_kinesis,
}
