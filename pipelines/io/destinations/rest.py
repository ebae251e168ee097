"""Any REST API, by templates: one request per person that has the whole of what the API should hold.

| setting | when it is sent |
| --- | --- |
| `request` | somebody enters a segment, or what the request says has changed |
| `leave` | somebody is in none of the segments any more; without it nothing is sent |
| `erase` | somebody is erased; without it `leave` is |

`Idempotency-Key` is a hash of destination, person and body: the same on every try.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from pipelines.io.destinations.base import Connection, SettingsError, Surroundings, one_by_one
from pipelines.io.destinations.client import Client
from pipelines.io.destinations.guard import checked_url, guard
from pipelines.io.destinations.webhook import outcome_of, rate_of
from transforms.activation.contexts import CONTEXT
from transforms.activation.rows import ACKNOWLEDGED, PENDING, Change, Outcome
from transforms.activation.templates import fill, fill_path

CONNECTIONS = 8
REQUESTS_PER_SECOND = 50


_METHODS = ("PUT", "POST", "PATCH", "DELETE")
_KEYS = {"method", "path", "headers", "body"}


def connect(settings: Mapping[str, Any], surroundings: Surroundings) -> Connection:
    """Raises SettingsError."""
    requests = {name: _checked(name, settings[name]) for name in ("request", "leave", "erase") if name in settings}
    client = Client(
        checked_url(settings["url"]),
        {str(name): str(value) for name, value in (settings.get("headers") or {}).items()},
        rate=rate_of(settings, surroundings, REQUESTS_PER_SECOND),
        connections=CONNECTIONS,
        clock=surroundings.clock,
        transport=surroundings.transport,
        before=guard(settings.get("allow_private") is True),
    )
    return Rest(client, requests, str(settings["url"]))


def _checked(name: str, request: Any) -> Mapping[str, Any]:
    if not isinstance(request, Mapping) or set(request) - _KEYS or "path" not in request:
        raise SettingsError(f"{name}: expected method, path, headers and body")
    if request.get("method", "PUT") not in _METHODS:
        raise SettingsError(f"{name}.method: expected one of {', '.join(_METHODS)}")
    return request


class Rest(Connection):
    """One API.

    Args:
        client: of its URL.
        requests: templates by the name of their setting.
        name: goes into the idempotency key.
    """

    batch_size = 100

    def __init__(self, client: Client, requests: Mapping[str, Mapping[str, Any]], name: str) -> None:
        self._client, self._requests, self._name = client, requests, name

    def record_id(self, identifier: str) -> str:
        return identifier

    def send(self, changes: Sequence[Change]) -> list[Outcome]:
        return one_by_one(self._send, changes, CONNECTIONS)

    def close(self) -> None:
        self._client.close()

    def _send(self, change: Change) -> Outcome:
        template = self._template(change)
        if template is None:
            return Outcome(change, ACKNOWLEDGED)
        context = self._context(change)
        body = fill(template["body"], context.get) if "body" in template else None
        path = fill_path(template["path"], context.get)
        content = orjson.dumps(body, option=orjson.OPT_SORT_KEYS) if body is not None else None
        method = template.get("method", "PUT")
        key = hashlib.sha256("\0".join((self._name, method, path)).encode() + (content or b"")).hexdigest()
        headers = {name: str(value) for name, value in fill(template.get("headers") or {}, context.get).items()}
        headers["Idempotency-Key"] = key
        answer = self._client.request(method, path, content=content, headers=lambda: headers)
        if change.kind != "add" and answer.status in (404, 410):
            return Outcome(change, ACKNOWLEDGED)
        if answer.status in (409, 412):
            return Outcome(change, PENDING, f"status {answer.status}")
        return outcome_of(change, answer)

    def _template(self, change: Change) -> Mapping[str, Any] | None:
        if change.kind == "add":
            return self._requests["request"]
        if change.kind == "erase":
            return self._requests.get("erase") or self._requests.get("leave")
        return self._requests.get("leave") if not change.fields.get(CONTEXT) else self._requests["request"]

    def _context(self, change: Change) -> Mapping[str, Any]:
        known = change.fields.get(CONTEXT)
        if isinstance(known, Mapping):
            return known
        identifier = change.identifier or change.record_id
        kind, _, user_id = change.profile_id.partition(":")
        return {
            "profile_id": change.profile_id,
            "user_id": user_id if kind == "user" else identifier,
            "identifier": identifier,
            "email": identifier,
            "phone": identifier,
        }
