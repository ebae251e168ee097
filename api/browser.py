"""What browsers' clients fetch before they send: settings, and analytics.js where a folder of it is given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from api.answers import ApiError
from api.cors import cors_headers
from api.keys import key_of_header
from api.services import Services

_CHUNK = re.compile(r"[A-Za-z0-9._-]+\.js(\.map)?")
_TRACKED = {"__default": {"enabled": True}}


def segment_settings(key: str, scheme: str, host: str) -> dict[str, Any]:
    """The least that analytics.js works with: one destination, here; no metrics, no plan that forbids anything."""
    here = {
        "apiKey": key,
        "apiHost": f"{host}/v1",
        "protocol": scheme,
        "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
    }
    return {
        "integrations": {"Segment.io": here},
        "plan": {"track": _TRACKED, "identify": _TRACKED, "group": _TRACKED},
        "metrics": {"sampleRate": 0},
        "analyticsNextEnabled": True,
    }


def rudder_config(key: str) -> dict[str, Any]:
    """The least that RudderStack's client works with: a source without destinations, and no reports about itself."""
    silent = {"errors": {"enabled": False}, "metrics": {"enabled": False}}
    source = {
        "id": "tidemark",
        "name": "tidemark",
        "enabled": True,
        "workspaceId": "tidemark",
        "writeKey": key,
        "destinations": [],
        "config": {"statsCollection": silent},
    }
    return {"source": source}


class BrowserPages:
    """Answers browsers' clients.

    Args:
        services: what the handlers share.
        folder: of `@segment/analytics-next/dist/umd`, to serve the snippet's script; None: it is not served here.
    """

    def __init__(self, services: Services, folder: Path | None) -> None:
        self._services = services
        self._folder = folder

    async def settings(self, request: Request) -> Response:
        key = request.path_params["key"]
        self._services.allow(key, "collect")
        scheme, host = _address(request)
        return self._json(request, segment_settings(key, scheme, host))

    async def source_config(self, request: Request) -> Response:
        key = key_of_header(request.headers.get("authorization", "")) or request.query_params.get("writeKey", "")
        self._services.allow(key, "collect")
        return self._json(request, rudder_config(key))

    async def script(self, request: Request) -> Response:
        self._services.allow(request.path_params["key"], "collect")
        return self._file("standalone.js")

    async def chunk(self, request: Request) -> Response:
        return self._file(request.path_params["file"])

    def _file(self, name: str) -> Response:
        path = self._folder / name if self._folder is not None and _CHUNK.fullmatch(name) else None
        if path is None or not path.is_file():
            raise ApiError(404, "not_found", "this server was not given analytics.js (--analytics_js)")
        headers = {"cache-control": "public, max-age=300", "cross-origin-resource-policy": "cross-origin"}
        headers.update({"access-control-allow-origin": "*", "x-content-type-options": "nosniff"})
        return FileResponse(path, media_type="text/javascript", headers=headers)

    def _json(self, request: Request, value: dict[str, Any]) -> Response:
        response = Response(orjson.dumps(value), media_type="application/json")
        response.headers.update({"cache-control": "no-store", "x-content-type-options": "nosniff"})
        origin = request.headers.get("origin")
        for name, text in cors_headers(self._services.keys, origin.encode("latin-1") if origin else None):
            response.headers[name.decode()] = text.decode("latin-1")
        return response


def _address(request: Request) -> tuple[str, str]:
    """How the client reached this server, also through a proxy that ends TLS."""
    forwarded = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip()
    scheme = forwarded if forwarded in ("http", "https") else request.url.scheme
    return scheme, request.headers.get("host", request.url.netloc)
