"""Whether the server lives, what it counts, and what it can be asked."""

from __future__ import annotations

import html
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from api.answers import CAREFUL, error_body
from api.routes import ROUTES, Route
from api.services import Services

_CAREFUL = {name.decode(): value.decode() for name, value in CAREFUL}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2330}"
    "code{background:#eef1f6;padding:.1em .3em;border-radius:3px}td,th{text-align:left;padding:.35rem .8rem .35rem 0;"
    "vertical-align:top;border-bottom:1px solid #dde3ec}h1{font-size:1.5rem}table{border-collapse:collapse;width:100%}"
)
_ERRORS = {
    "400": "the body is not what it should be",
    "401": "no such key",
    "403": "the key may not do that",
    "413": "over 500 KB",
    "429": "too many requests: Retry-After says when",
    "503": "not now: Retry-After says when",
}


class SystemPages:
    """Answers of the server about itself."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def healthz(self, _request: Request) -> Response:
        return careful(b'{"status":"ok"}')

    async def readyz(self, _request: Request) -> Response:
        problem = await self._services.events.check()
        if problem:
            return careful(error_body("unavailable", problem), 503, {"retry-after": "5"})
        return careful(b'{"status":"ready"}')

    async def metrics(self, _request: Request) -> Response:
        return careful(self._services.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(self, _request: Request) -> Response:
        return careful(orjson.dumps(describe()))

    async def docs(self, _request: Request) -> Response:
        page = docs_page().encode()
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        return careful(page, 200, {"content-security-policy": policy}, "text/html; charset=utf-8")


def careful(
    body: bytes, status: int = 200, headers: dict[str, str] | None = None, media_type: str = "application/json"
) -> Response:
    """A response with the headers that all have."""
    return Response(body, status, {**_CAREFUL, **(headers or {})}, media_type)


def describe() -> dict[str, Any]:
    """The requests as OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    scheme = {"type": "http", "scheme": "basic", "description": "the key as user, no password; or Bearer"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tidemark: collect and look up", "version": "1"},
        "components": {
            "securitySchemes": {"key": scheme},
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["code", "message"],
                    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
                }
            },
        },
        "paths": paths,
    }


def _operation(route: Route) -> dict[str, Any]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    text = {"type": "string"}
    parameters = [{"name": name, "in": "path", "required": True, "schema": text} for name in names]
    parameters += [{"name": name, "in": "query", "schema": text, "description": what} for name, what in route.query]
    refusal = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    errors = {status: {"description": what, **refusal} for status, what in _ERRORS.items()} if route.scope else {}
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": parameters,
        "responses": {**errors, **{str(status): {"description": what} for status, what in route.answers}},
        "security": [{"key": []}] if route.scope else [],
    }
    if route.body:
        content = {"application/json": {"schema": {"description": route.body}}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def docs_page() -> str:
    """The requests as a page. It loads nothing from anywhere."""
    rows = "".join(_row(route) for route in ROUTES)
    head = "<tr><th>request</th><th>key</th><th>does</th></tr>"
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Tidemark API</title><style>{_STYLE}</style><h1>Tidemark API</h1><p>Keys go into "
        "<code>Authorization: Basic</code> (as user, without a password) or <code>Bearer</code>. Errors are JSON with "
        "<code>code</code> and <code>message</code>. <a href=/openapi.json>OpenAPI</a></p>"
        f"<table>{head}{rows}</table></html>"
    )


def _row(route: Route) -> str:
    more = f" Body: {route.body}." if route.body else ""
    if route.query:
        more += " Query: " + "; ".join(f"{name}: {what}" for name, what in route.query) + "."
    cells = (f"<code>{route.method} {html.escape(route.path)}</code>", route.scope or "none")
    return f"<tr><td>{cells[0]}</td><td>{cells[1]}</td><td>{html.escape(route.summary + more)}</td></tr>"
