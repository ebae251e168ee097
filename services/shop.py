"""A made-up shop whose orders are pulled, with faults to order."""

from __future__ import annotations

from services.python_server import python_server

SHOP = python_server(
    "shop",
    "A made-up shop with orders and faults (ours)",
    "services.shop_server",
    arguments=lambda port: ["--port", port],
    environment=lambda url: {"SHOP_URL": url, "SHOP_CLIENT_ID": "client", "SHOP_CLIENT_SECRET": "secret"},
    healthy="/healthz",
)
