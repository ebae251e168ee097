"""Reads `--events`, and opens what it names: a spool of this process's own files, or a broker."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from api.gather import Writer

if TYPE_CHECKING:
    from pipelines.io.targets.target import EventTarget, OutgoingEvent


_QUICK_SECONDS = 1.0


class EventsError(ValueError):
    """An `--events` that cannot be used. The text says what was given and what was expected."""


class BrokerWriter:
    """Events into a broker. One that is away at the start is asked again with each group.

    Args:
        target: says when it has acknowledged them.
    """

    def __init__(self, target: EventTarget) -> None:
        self._target = target
        self._is_known = False

    def open(self) -> None:
        """Does not wait for the broker."""

    def write(self, events: Sequence[bytes]) -> None:
        from pipelines.io.targets.target import TargetError

        outgoing = [_outgoing(event) for event in events]
        start = time.monotonic()
        try:
            self._send(outgoing)
        except TargetError:
            # A connection that was idle may have been closed: that shows at once, and a new one is no worse.
            self._is_known = False
            if time.monotonic() - start > _QUICK_SECONDS:
                raise
            self._send(outgoing)

    def rest(self) -> float | None:
        return None

    def check(self) -> str:
        from pipelines.io.targets.target import TargetError

        try:
            self._target.check()
        except TargetError as error:
            self._is_known = False
            return str(error)
        self._is_known = True
        return ""

    def close(self) -> None:
        self._target.close()

    def _send(self, outgoing: list[OutgoingEvent]) -> None:
        if not self._is_known:
            self._target.check()
            self._is_known = True
        self._target.send(outgoing)


def _outgoing(event: bytes) -> OutgoingEvent:
    from pipelines.io.targets.target import OutgoingEvent

    try:
        record = orjson.loads(event)
    except orjson.JSONDecodeError:
        record = None
    if not isinstance(record, dict):
        return OutgoingEvent(event, "", "")
    key = record.get("userId") or record.get("anonymousId")
    message_id = record.get("messageId")
    named = message_id if isinstance(message_id, str) and message_id.isprintable() else ""
    return OutgoingEvent(event, key if isinstance(key, str) else "", named[:255])


def open_place(text: str) -> tuple[Writer, tuple[type[Exception], ...]]:
    """What writes to a place, and what it raises when it cannot for now.

    Raises:
        EventsError: the text names no place.
    """
    kind, separator, rest = text.partition(":")
    if separator and kind == "spool":
        if not rest.strip() or "\0" in rest or "://" in rest:
            raise EventsError(f"--events {text}: expected spool:DIR, a local folder")
        from pipelines.io.spool.writer import SpoolWriter

        return SpoolWriter(Path(rest)), (OSError,)
    if kind == "files":
        raise EventsError(f"--events {text}: expected spool:DIR, kafka:, pubsub:, amqp: or kinesis:")
    from pipelines.io.targets.location import parse_target
    from pipelines.io.targets.target import TargetError

    try:
        return BrokerWriter(parse_target(text)), (TargetError,)
    except TargetError as error:
        raise EventsError(str(error)) from None
