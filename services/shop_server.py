"""The made-up shop over HTTP: `python -m services.shop_server --port N --orders N`.

Beside the shop's own paths (shop_orders.py): `PUT /faults` with `{"3": "429"}`, `POST /change/ID` with fields.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from services.shop_orders import ShopOrders


def make_application(shop: ShopOrders) -> Starlette:
    """The shop as an ASGI application."""

    async def answer(request: Request) -> Response:
        found = shop.answer(request.url.path, request.url.query, dict(request.headers), await request.body())
        if not found.is_lost:
            return Response(found.body, found.status, found.headers)
        length = {**found.headers, "content-length": str(len(found.body))}
        return StreamingResponse(_half(found.body), found.status, length)

    async def set_faults(request: Request) -> Response:
        shop.faults = {shop.asked + int(number): fault for number, fault in (await request.json()).items()}
        return JSONResponse({"asked": shop.asked})

    async def change(request: Request) -> Response:
        shop.change(int(request.path_params["order"]), **await request.json())
        return JSONResponse({})

    return Starlette(
        routes=[
            Route("/faults", set_faults, methods=["PUT"]),
            Route("/change/{order:int}", change, methods=["POST"]),
            Route("/{path:path}", answer, methods=["GET", "POST"]),
        ]
    )


async def _half(body: bytes) -> AsyncIterator[bytes]:
    yield body[: len(body) // 2]
    raise ConnectionError("the connection breaks here")


def main() -> None:
    """Serves on loopback until it is stopped."""
    parser = argparse.ArgumentParser(description="A made-up shop with faults to order.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--orders", type=int, default=250)
    known = parser.parse_args()
    shop = ShopOrders(known.orders, f"http://127.0.0.1:{known.port}")
    uvicorn.run(make_application(shop), host="127.0.0.1", port=known.port, log_level="critical")


if __name__ == "__main__":
    main()
