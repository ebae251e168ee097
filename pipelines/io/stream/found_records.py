"""What a reader found, as records of a stream: messages to parse, and messages that carry why they could not be read.

A damaged part of a file is a failure where a bounded job reads it. Here it is a message that carries the failure, so
that it goes through the journal like the others; `failure_of` finds it.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from pipelines.io.stream.event_time import UNKNOWN_US, read_event_time_us
from pipelines.io.stream.source import Record
from schemas.event import Failure
from schemas.message import Message
from transforms.parse.bodies import split_body
from transforms.parse.violations import Epoch


def found_message(found: bytes | Failure, source: str) -> Message:
    """A record of a file as a message."""
    if not isinstance(found, Failure):
        return Message(found, source, {})
    return Message(found.raw, source, {}, carried(found))


def carried(failure: Failure) -> str:
    """A failure as a message carries it, beside the bytes and the source."""
    reason, errors, stage, message_id, _, attributes, _, received_at = failure
    return orjson.dumps((reason, errors, stage, message_id, attributes, received_at)).decode()


def failure_of(message: Message) -> Failure | None:
    """The failure that a message carries."""
    if not message.failure:
        return None
    reason, errors, stage, message_id, attributes, received_at = orjson.loads(message.failure)
    return Failure(reason, tuple(errors), stage, message_id, message.raw, attributes, message.source, received_at)


def timed_record(message: Message, arrived_us: int, epoch: Epoch | None) -> Record:
    """A live message with its time for the watermark, and when it came in."""
    event_us = UNKNOWN_US if message.failure else read_event_time_us(message.raw, arrived_us, epoch)
    return Record(message._replace(came_us=arrived_us), event_us)


def received_records(message: Message, arrived_us: int, epoch: Epoch | None) -> Iterator[Record]:
    """What a broker's message holds: itself, or each event of a `batch` body."""
    for raw in split_body(message.raw):
        yield timed_record(message._replace(raw=raw), arrived_us, epoch)
