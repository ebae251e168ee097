"""Webhooks as Standard Webhooks 1.0 signs them: one call per change.

The id of a call is that of its intent in the ledger, so that it is the same on every try, also in a later run, and
another one when the same person enters again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from pipelines.io.destinations.base import Connection, SettingsError, Surroundings, one_by_one
from pipelines.io.destinations.client import Answer, Client, Rate, Stop
from pipelines.io.destinations.guard import checked_url, guard
from transforms.activation.fields import instant_text
from transforms.activation.rows import ACKNOWLEDGED, PENDING, REFUSED, Activation, Change, Outcome

CONNECTIONS = 8
REQUESTS_PER_SECOND = 50
_PREFIX = "whsec_"
_DISABLED = 410


def connect(settings: Mapping[str, Any], surroundings: Surroundings) -> Connection:
    """Raises SettingsError."""
    client = Client(
        checked_url(settings["url"]),
        {},
        rate=rate_of(settings, surroundings, REQUESTS_PER_SECOND),
        connections=CONNECTIONS,
        clock=surroundings.clock,
        transport=surroundings.transport,
        before=guard(settings.get("allow_private") is True),
    )
    return Webhook(client, secret_key(str(settings["secret"])), surroundings.clock.wall)


def rate_of(settings: Mapping[str, Any], surroundings: Surroundings, default: int) -> Rate:
    """The setting `requests_per_second`. Raises SettingsError."""
    requests = settings.get("requests_per_second", default)
    if not isinstance(requests, int) or requests < 1:
        raise SettingsError("requests_per_second: expected a number of at least 1")
    return Rate(requests, 1.0, surroundings.clock)


def secret_key(secret: str) -> bytes:
    """The key in `whsec_<base64>`. Raises SettingsError."""
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise SettingsError("secret: expected whsec_ and base64") from None


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Webhook(Connection):
    """One receiver.

    Args:
        client: of its URL.
        key: it signs with.
        wall: seconds since the epoch.
    """

    batch_size = 100

    def __init__(self, client: Client, key: bytes, wall: Callable[[], float]) -> None:
        self._client, self._key, self._wall = client, key, wall

    def send(self, changes: Sequence[Change]) -> list[Outcome]:
        return one_by_one(self._send, changes, CONNECTIONS)

    def close(self) -> None:
        self._client.close()

    def _send(self, change: Change) -> Outcome:
        if change.kind == "erase":
            return self._call(change, f"erase:{change.identifier_hash}", _erased(change))
        for row in change.rows:
            if row.segment in change.segments:
                outcome = self._call(change, _intent(row), _moved(change, row))
                if outcome.state != ACKNOWLEDGED:
                    return outcome
        return Outcome(change, ACKNOWLEDGED)

    def _call(self, change: Change, intent: str, payload: Mapping[str, Any]) -> Outcome:
        message_id, body = "msg_" + hashlib.sha256(intent.encode()).hexdigest()[:32], orjson.dumps(payload)

        def headers() -> dict[str, str]:
            now = int(self._wall())
            signed = signature(self._key, message_id, now, body)
            return {"webhook-id": message_id, "webhook-timestamp": str(now), "webhook-signature": signed}

        return outcome_of(change, self._client.request("POST", "", content=body, headers=headers))


def outcome_of(change: Change, answer: Answer) -> Outcome:
    """What an answer means for a change. Raises Stop: the receiver wants nothing more."""
    if answer.is_success:
        return Outcome(change, ACKNOWLEDGED)
    if answer.status == _DISABLED:
        raise Stop("the receiver is gone for good: status 410")
    refused = 400 <= answer.status < 500 and change.kind == "add"
    return Outcome(change, REFUSED if refused else PENDING, f"status {answer.status}")


def _intent(row: Activation) -> str:
    wanted = "entered" if row.wanted else "exited"
    return "\0".join((row.destination, row.profile_id, row.segment, wanted, str(row.changed_at)))


def _moved(change: Change, row: Activation) -> dict[str, Any]:
    kind, _, user_id = row.profile_id.partition(":")
    data: dict[str, Any] = {"profile_id": row.profile_id, "segment": row.segment}
    if kind == "user":
        data["user_id"] = user_id
    if change.kind == "add":
        data["fields"] = dict(change.fields)
    verb = "entered" if change.kind == "add" else "exited"
    return {"type": f"segment.{verb}", "timestamp": instant_text(row.changed_at), "data": data}


def _erased(change: Change) -> dict[str, Any]:
    at = max((row.changed_at for row in change.rows), default=0)
    when = instant_text(at) if at else datetime.now(UTC).isoformat(timespec="seconds")
    return {"type": "profile.erased", "timestamp": when, "data": {"profile_id": change.profile_id}}
