"""The shop's page, and what its own server asks the API about whoever looks at it.

The browser has a key that may only send. What is known of a visitor is asked for by the shop's server, with a key that
never leaves it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

_PAGE = Path(__file__).with_name("shop.html")
_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Shop:
    """Where the API is, and the keys: the browser's, and the shop server's own."""

    api: str
    write_key: str
    read_key: str


def shop_pages(shop: Shop) -> Starlette:
    """The page, what is known of a visitor, and the changes as they come."""
    client = httpx.AsyncClient(base_url=shop.api, headers={"Authorization": f"Bearer {shop.read_key}"}, trust_env=False)

    async def page(_request: Request) -> Response:
        text = _PAGE.read_text().replace("{{API}}", shop.api).replace("{{WRITE_KEY}}", shop.write_key)
        return HTMLResponse(text, headers={"Cache-Control": "no-store"})

    async def me(request: Request) -> Response:
        name = quote(request.query_params.get("id", ""), safe="")
        try:
            profile = await client.get(f"/profiles/{name}")
            segments = await client.get(f"/profiles/{name}/segments")
        except httpx.HTTPError:
            return JSONResponse({"status": "the API is starting"})
        if profile.status_code != 200 or segments.status_code != 200:
            return JSONResponse({"status": profile.json().get("message", "")})
        return JSONResponse({"profile": profile.json(), **segments.json()})

    async def changes(request: Request) -> Response:
        told = _changes(shop, request.query_params.get("id", ""))
        return StreamingResponse(told, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    return Starlette(routes=[Route("/", page), Route("/me", me), Route("/changes", changes)], lifespan=lifespan)


async def _changes(shop: Shop, name: str) -> AsyncIterator[str]:
    """What /live says of a visitor, as server-sent events."""
    url = f"{shop.api.replace('http', 'ws', 1)}/live?profile={quote(name, safe='')}"
    headers = {"Authorization": f"Bearer {shop.read_key}"}
    while True:
        try:
            async with connect(url, additional_headers=headers, proxy=None) as socket:
                yield ": listening\n\n"
                async for change in socket:
                    yield f"data: {change!s}\n\n"
        except (OSError, WebSocketException):
            yield ": not yet\n\n"
        await asyncio.sleep(_AGAIN_SECONDS)
