"""The one rule that all contenders evaluate: viewed a product in the last 24 hours and did not buy it since.

Ours has it among its segments, with deduplication, identity and all tables around it; the others do this and no more:
decode, validate, take the user's id or else the device's, apply the rule as of one instant.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

AS_OF: Final = "2026-07-01T00:00:00Z"
VIEWED: Final = "Product Viewed"
ORDERED: Final = "Order Completed"
DAY: Final = timedelta(hours=24)

INSTANT: Final = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$"}
SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["messageId", "type"],
    "properties": {
        "messageId": {"type": "string", "minLength": 1},
        "type": {"enum": ["track", "identify", "page", "screen", "group", "alias", "delete"]},
        "userId": {"type": "string"},
        "anonymousId": {"type": "string"},
        "event": {"type": "string"},
        "timestamp": INSTANT,
        "receivedAt": INSTANT,
        "context": {"type": "object"},
        "properties": {
            "type": "object",
            "properties": {
                "product_id": {"type": "string"},
                "name": {"type": "string"},
                "price": {"type": "number"},
                "quantity": {"type": "number"},
                "revenue": {"type": "number"},
                "products": {"type": "array", "items": {"type": "object"}},
            },
        },
    },
    "anyOf": [{"required": ["userId"]}, {"required": ["anonymousId"]}],
}

Step = tuple[str, bool, list[Any]]
"""When (ISO 8601), whether it is an order, and which products."""


def step_of(message: dict[str, Any]) -> tuple[str, Step] | None:
    """Who did what, of a valid message that the rule is about."""
    name = message.get("event")
    if name not in (VIEWED, ORDERED):
        return None
    timestamp = message.get("timestamp") or message.get("receivedAt")
    properties = message.get("properties") or {}
    if timestamp is None:
        return None
    if name == VIEWED:
        products = [properties.get("product_id")]
    else:
        products = [product.get("product_id") for product in properties.get("products", ())]
    return str(message.get("userId") or message["anonymousId"]), (str(timestamp), name == ORDERED, products)


def is_member(steps: Iterable[Step]) -> bool:
    """Whether someone with these steps is in the segment at AS_OF."""
    now = datetime.fromisoformat(AS_OF)
    bought: set[Any] = set()
    timed = [(datetime.fromisoformat(when), is_order, products) for when, is_order, products in steps]
    for at, is_order, products in sorted(timed, key=lambda step: step[0], reverse=True):
        if at > now:
            continue
        if now - at >= DAY:
            return False
        if is_order:
            bought.update(products)
        elif any(product not in bought for product in products):
            return True
    return False
