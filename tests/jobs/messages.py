"""Messages for stories: short to write, valid as they are."""

from __future__ import annotations

from typing import Any

AT = "2026-03-01T{}:00Z"


def track(message_id: str, event: str, at: str = "12:00", **fields: Any) -> dict[str, Any]:
    """A track event of user `ann` on 1 March 2026. A field None is left out."""
    message = {"messageId": message_id, "type": "track", "event": event, "userId": "ann", "timestamp": AT.format(at)}
    return {name: value for name, value in (message | fields).items() if value is not None}


def message(message_id: str, kind: str, at: str = "12:00", **fields: Any) -> dict[str, Any]:
    """A message of another type."""
    return {"messageId": message_id, "type": kind, "timestamp": AT.format(at)} | fields


def micros(at: str) -> int:
    """The instant of an hour and minute on 1 March 2026."""
    hours, minutes = at.split(":")
    return 1_772_323_200_000_000 + (int(hours) * 60 + int(minutes)) * 60_000_000
