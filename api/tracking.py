"""Segment's and RudderStack's tracking API: the hot path, as a plain ASGI callable.

The content type is never looked at: browsers send text/plain, one SDK sends gzipped JSON as a form.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from api.answers import JSON, SUCCESS, ApiError, Receive, Scope, Send, answer
from api.bodies import read_body, refused
from api.cors import cors_headers, preflight_headers
from api.keys import Key, key_of_header
from api.services import Services
from transforms.collect.bodies import BodyError, parse_json
from transforms.collect.events import TYPES, batch_events, lines, needs_update, single_event
from transforms.collect.pixel import IMAGE, pixel_record

_NAMES = {
    **{name: name for name in TYPES},
    **{name[0]: name for name in TYPES},
    **dict.fromkeys(("batch", "b", "import"), "batch"),
}

EVENT_PATHS = {
    **{f"/v1/{name}": kind for name, kind in _NAMES.items()},
    "/beacon/v1/batch": "batch",
    "/v1/m": "metrics",
    "/rsaMetrics": "metrics",
}
"""Paths that take events by POST -> the type of event, `batch`, or what clients tell of themselves (not kept)."""

_PIXELS = ("/v1/pixel/", "/pixel/v1/")
_GIF = ((b"content-type", b"image/gif"), (b"cross-origin-resource-policy", b"cross-origin"))


def pixel_type(path: str) -> str | None:
    """The type of event that a pixel's path names; None: it is no pixel."""
    for prefix in _PIXELS:
        if path.startswith(prefix):
            return path.removeprefix(prefix).strip("/")
    return None


class Tracking:
    """Takes events of clients."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def preflight(self, scope: Scope, send: Send) -> int:
        """Answers OPTIONS."""
        headers = dict(scope["headers"])
        asked = headers.get(b"access-control-request-headers", b"")
        allowed = preflight_headers(self._services.keys, headers.get(b"origin"), asked)
        await answer(send, 204, b"", allowed)
        return 204

    async def post(self, kind: str, scope: Scope, receive: Receive, send: Send) -> int:
        """Takes the events of a request and answers when they are safe.

        Raises:
            ApiError: they are not taken.
        """
        encoding = authorization = b""
        origin = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"content-encoding":
                encoding = value
            elif name == b"origin":
                origin = value
        body = await read_body(receive, encoding.decode("latin-1"))
        if kind != "metrics":
            events = self._events(kind, body, authorization, origin, scope["query_string"])
            await self._services.keep_lines(events)
        cors = cors_headers(self._services.keys, origin) if origin is not None else ()
        await answer(send, 200, SUCCESS, (JSON, *cors))
        return 200

    def _events(self, kind: str, body: bytes, authorization: bytes, origin: bytes | None, query: bytes) -> list[bytes]:
        """What is to be kept, once its key is known to be good."""
        services = self._services
        given = key_of_header(authorization.decode("latin-1")) if authorization else ""
        key = services.keys.find(given) if given else None
        try:
            record = parse_json(body)
        except BodyError as error:
            if key is None:
                services.allow(given or _query_key(query), "collect")
            raise refused(error) from None
        if key is None:
            given = _body_key(record) or _query_key(query) or given
        key = services.allow(given, "collect")
        _check_origin(key, origin)
        try:
            received_at = services.received_at()
            events = batch_events(record, received_at) if kind == "batch" else single_event(record, kind, received_at)
            if kind == "batch" and needs_update(events) and "update" not in key.may:
                raise ApiError(403, "forbidden", "delete and retract need a key that may update")
            return lines(events)
        except BodyError as error:
            raise refused(error) from None

    async def pixel(self, kind: str, scope: Scope, send: Send) -> int:
        """Keeps the event of an address. Whatever happens, it answers with the image: it stands in an e-mail."""
        try:
            await self._keep_pixel(kind, scope)
        except (ApiError, ValueError):  # BodyError among them
            self._services.metrics.add("pixel_errors")
        await answer(send, 200, IMAGE, _GIF)
        return 200

    async def _keep_pixel(self, kind: str, scope: Scope) -> None:
        event_type = _NAMES.get(kind)
        if event_type in (None, "batch"):
            raise ApiError(404, "not_found", "no such type of event")
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=1000)
        record = pixel_record(query)
        headers = dict(scope["headers"])
        given = key_of_header(headers.get(b"authorization", b"").decode("latin-1"))
        self._services.allow(_body_key(record) or given, "collect")
        await self._services.keep(single_event(record, str(event_type), self._services.received_at()))


def _check_origin(key: Key, origin: bytes | None) -> None:
    if origin is not None and key.origins and origin.decode("latin-1") not in key.origins:
        raise ApiError(403, "forbidden", "this key may not be used by pages of this origin")


def _body_key(record: Any) -> str:
    key = record.get("writeKey") if isinstance(record, dict) else None
    return key if isinstance(key, str) else ""


def _query_key(query: bytes) -> str:
    if b"writeKey" not in query:
        return ""
    return dict(parse_qsl(query.decode("latin-1"), max_num_fields=100)).get("writeKey", "")
