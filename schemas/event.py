"""The parsed event: Segment's wire format, in snake_case, with one event time."""

from __future__ import annotations

from typing import Any, NamedTuple

MICROSECONDS_PER_SECOND = 1_000_000


class Event(NamedTuple):
    """One accepted event. Hot paths carry it as a plain tuple in this field order.

    `timestamp` and `received_at` are microseconds since the epoch, UTC; `timestamp` is the event time of CONTRACT
    section 2. `name` is the track event's `event`, or the `name` of a page or screen ("" when it has none).
    `previous_id` is an alias's, or the message id that a retract takes out.
    `properties`, `traits` and `context` hold the JSON text of the object as it was sent (compact, UTF-8), or None.
    """

    message_id: str
    timestamp: int
    type: str
    name: str
    user_id: str | None
    anonymous_id: str | None
    previous_id: str | None
    group_id: str | None
    received_at: int | None
    properties: bytes | None
    traits: bytes | None
    context: bytes | None


(
    MESSAGE_ID,
    TIMESTAMP,
    TYPE,
    NAME,
    USER_ID,
    ANONYMOUS_ID,
    PREVIOUS_ID,
    GROUP_ID,
    RECEIVED_AT,
    PROPERTIES,
    TRAITS,
    CONTEXT,
) = range(len(Event._fields))
"""Where each field stands in the plain tuple."""


class Failure(NamedTuple):
    """A record that cannot be processed, with its bytes and why (one row of `failed_events`).

    `errors` holds one text per violation, `<JSON pointer>: <what was expected>`, free of personal data.
    """

    reason: str
    errors: tuple[str, ...]
    stage: str
    message_id: str | None
    raw: bytes
    attributes: dict[str, Any]
    source: str
    received_at: int | None
