"""What every target of events is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class TargetError(Exception):
    """Events could not be made safe; the text says why, and holds nothing of them."""


class OutgoingEvent(NamedTuple):
    """An event on its way.

    `line` is its JSON without a newline; `key` whose it is (events of one key stay in order, where the target knows
    order); `message_id` its identity.
    """

    line: bytes
    key: str
    message_id: str


class EventTarget(Protocol):
    """Takes events. Not shared between threads."""

    def check(self) -> None:
        """Makes sure, before anything starts, that it can be written to.

        Raises:
            TargetError: it cannot.
        """

    def send(self, events: Sequence[OutgoingEvent]) -> None:
        """Puts events there. When it returns they are safe: on the disk, or acknowledged by the broker.

        Raises:
            TargetError: some of them are not; sending all of them again does no harm, as they are known by their ids.
        """

    def close(self) -> None:
        """Lets go of connections."""
