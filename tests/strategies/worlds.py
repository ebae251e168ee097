"""Small worlds: few names and values, times on a coarse grid, so that ties and exact boundaries happen all the time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from schemas.event import Event
from tests.strategies.choices import Choices

GRID_US = 3_600_000_000
START_US = 1_767_571_200_000_000  # 2026-01-05T00:00:00Z
SPAN = 24

TRACKS = ("Product Viewed", "Product Viewed", "Order Completed", "Order Completed", "Product Added")
PRICES = (10, 5, 12.5, 0, 10, 20, 1, "10", "7.5", "cheap", True, None, 0.1, 0.2, 1e308, -1e308, 2**63, "0.30", "1e400")
CATEGORIES = ("shoes", "hats", "shoes", "5", 5, True, None, "old shoes")
PRODUCTS = ("p1", "p2", "p3")
CITIES = ("New York", "York", "Lima", None, 5)
PHONES = ("+12025550143", "2025550143", "12", None, "(01) 6123456")
DEVICES = ("mobile", "desktop")
MOST_EVENTS = 12


def instant(choices: Choices) -> int:
    """A time on the grid; now and then one microsecond beside it."""
    beside = choices.pick((0, 0, 0, 0, 0, 0, 0, 0, 1, -1))
    return START_US + choices.number(0, SPAN) * GRID_US + beside


def date_text(microseconds: int, choices: Choices) -> str:
    """An instant in one of the forms that trackers send (a date alone: its midnight)."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    form = choices.number(0, 4)
    if form == 1:
        return moment.strftime("%Y-%m-%d")
    if form == 2:
        return moment.replace(tzinfo=None).isoformat()
    if form == 3:
        return moment.astimezone(timezone(timedelta(hours=2))).isoformat()
    return moment.isoformat().replace("+00:00", "Z")


def date_value(choices: Choices) -> Any:
    """A date as text, or what someone sent in its place."""
    if choices.chance(15):
        seconds = START_US // 1_000_000 + choices.number(-SPAN // 2, 2 * SPAN) * (GRID_US // 1_000_000)
        return choices.pick((None, "soon", 5, seconds, str(seconds * 1_000), seconds * 1_000_000))
    return date_text(START_US + choices.number(-SPAN // 2, 2 * SPAN) * GRID_US, choices)


def products(choices: Choices) -> Any:
    """The products of an order."""
    if choices.chance(10):
        return choices.pick((None, "p1", {"product_id": "p1"}))
    return [_product(choices) for _ in range(choices.number(0, 3))]


def _product(choices: Choices) -> dict[str, Any]:
    product: dict[str, Any] = {}
    if choices.chance(80):
        product["product_id"] = choices.pick(PRODUCTS)
    if choices.chance(60):
        product["price"] = choices.pick(PRICES)
    return product


def properties(choices: Choices) -> dict[str, Any]:
    """What a track, page or screen says."""
    found: dict[str, Any] = {}
    if choices.chance(75):
        found["price"] = choices.pick(PRICES)
    if choices.chance(70):
        found["category"] = choices.pick(CATEGORIES)
    if choices.chance(60):
        found["product_id"] = choices.pick(PRODUCTS)
    if choices.chance(60):
        found["products"] = products(choices)
    if choices.chance(45):
        found["due"] = date_value(choices)
    if choices.chance(30):
        found["tags"] = choices.several(CATEGORIES, 0, 3)
    return found


def traits(choices: Choices) -> dict[str, Any]:
    """What an identify says."""
    found: dict[str, Any] = {}
    if choices.chance(70):
        found["city"] = choices.pick(CITIES)
    if choices.chance(40):
        found["age"] = choices.pick((2, 1, 30, "30", 1.5, 0, None, "old"))
    if choices.chance(50):
        found["renewal"] = date_value(choices)
    if choices.chance(30):
        found["vip"] = choices.pick((True, False, None))
    if choices.chance(15):
        found[choices.pick(("City", "town"))] = choices.pick(CITIES)
    if choices.chance(20):
        found[choices.pick(("phone", "Phone", "mobile"))] = choices.pick(PHONES)
    if choices.chance(20):
        found[choices.pick(("country", "Country"))] = choices.pick(("Peru", "US", "Atlantis", None))
    if choices.chance(15):
        found[choices.pick(("birthday", "created_at", "signed_up_at"))] = date_value(choices)
    if choices.chance(30):
        found["address"] = choices.pick(({"city": "Lima"}, {"city": None}, None, "Lima", {"country": "PE"}))
    if choices.chance(20):
        found["tags"] = choices.several(CATEGORIES, 0, 3)
    return found


def event(message_id: str, choices: Choices) -> Event:
    """One event of the profile."""
    kind = choices.pick(("track",) * 11 + ("identify",) * 4 + ("page", "screen") + ("group",) * 4)
    name = choices.pick(TRACKS) if kind == "track" else choices.pick(("Home", "")) if kind in ("page", "screen") else ""
    context = {"device": {"type": choices.pick((*DEVICES, "", None))}} if choices.chance(30) else None
    return Event(
        message_id=message_id,
        timestamp=instant(choices),
        type=kind,
        name=name,
        user_id="u1",
        anonymous_id=None,
        previous_id=None,
        group_id=choices.pick(("g1", "g2")) if kind == "group" else None,
        received_at=None,
        properties=encode(properties(choices)) if name or kind != "identify" else None,
        traits=encode(traits(choices)) if kind in ("identify", "group") else None,
        context=encode(context),
    )


def encode(value: Any) -> bytes | None:
    """JSON as an event holds it."""
    return None if value is None else json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def events(choices: Choices, most: int = MOST_EVENTS) -> list[Event]:
    """The events of one profile. Message ids do not follow time, so that ties break both ways."""
    count = choices.number(1, most) if choices.chance(30) else choices.number(most // 2, most)
    places = list(range(count))
    made = []
    for _ in range(count):
        place = places.pop(choices.number(0, len(places) - 1))
        made.append(event(f"m{place:02}", choices))
    return sorted(made, key=lambda item: (item.timestamp, item.message_id))
