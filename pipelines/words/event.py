"""Events in a few plain words, for people who read summaries: what was done with what, and when.

Products, campaigns and names of events, pages and traits are told. Everything else that an event holds may be personal
data, and is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from schemas.text import plain

_Words = Callable[[dict[str, Any]], str]


def tell_event(kind: str, name: str | None, properties: str | None, traits: str | None) -> str:
    """What happened.

    >>> tell_event("track", "Product Viewed", '{"product_id":"p_018","name":"Rain Boot"}', None)
    'viewed Rain Boot (p_018)'

    Args:
        kind: the event's type.
        name: of a track event, page or screen.
        properties: as JSON text.
        traits: as JSON text.
    """
    if kind == "track":
        words = _TRACKS.get(name or "")
        return words(_object(properties)) if words else f"'{plain(name)}'"
    if kind in ("page", "screen"):
        return f"visited the {kind} '{plain(name)}'" if name else f"visited a {kind}"
    if kind == "identify":
        names = sorted(_object(traits))
        return "told " + _listed([plain(trait) for trait in names]) if names else "signed in"
    return {"group": "joined an account", "alias": "was recognised under another id"}.get(kind, f"sent a {kind} event")


def tell_instant(instant: datetime, year: int) -> str:
    """An instant to the minute, its year only where it is another one.

    >>> tell_instant(datetime(2026, 6, 28, 14, 3), 2026)
    '28 June 14:03'
    """
    date = f"{instant.day} {instant:%B}"
    return f"{date} {instant:%H:%M}" if instant.year == year else f"{date} {instant.year} {instant:%H:%M}"


def _object(text: str | None) -> dict[str, Any]:
    found = orjson.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def _listed(items: Sequence[str]) -> str:
    return ", ".join(items[:3]) + (f" and {len(items) - 3} more" if len(items) > 3 else "")


def _thing(properties: dict[str, Any], otherwise: str = "a product") -> str:
    """The product, or the first of several."""
    products = properties.get("products")
    if isinstance(products, list) and products and isinstance(products[0], dict):
        first = _thing(products[0])
        return first if len(products) == 1 else f"{first} and {len(products) - 1} more"
    name, product_id = properties.get("name"), properties.get("product_id")
    if isinstance(name, str) and product_id is not None:
        return f"{plain(name)} ({plain(product_id)})"
    named = name if isinstance(name, str) else product_id
    return otherwise if named is None else plain(named)


def _of_campaign(what: str, properties: dict[str, Any]) -> str:
    name = next(
        (properties[key] for key in ("campaign_name", "campaign_id", "popup_name") if properties.get(key)), None
    )
    return what if name is None else f"{what} '{plain(name)}'"


def _with_thing(before: str, after: str = "") -> _Words:
    return lambda properties: f"{before} {_thing(properties)}{after}"


def _with_campaign(what: str) -> _Words:
    return lambda properties: _of_campaign(what, properties)


def _always(words: str) -> _Words:
    return lambda _: words


def _reviewed(properties: dict[str, Any]) -> str:
    rating = properties.get("rating")
    stars = f", rating {rating}" if isinstance(rating, int | float) else ""
    return f"reviewed {_thing(properties)}{stars}"


_TRACKS: Final[dict[str, _Words]] = {
    "Product Viewed": _with_thing("viewed"),
    "Product Clicked": _with_thing("clicked"),
    "Product Added": _with_thing("put", " into the cart"),
    "Product Removed": _with_thing("took", " out of the cart"),
    "Product Added to Wishlist": _with_thing("wished for"),
    "Product Shared": _with_thing("shared"),
    "Product Reviewed": _reviewed,
    "Cart Viewed": _always("looked at the cart"),
    "Checkout Started": _with_thing("started to check out"),
    "Order Completed": _with_thing("ordered"),
    "Order Cancelled": _with_thing("cancelled the order of"),
    "Order Refunded": _with_thing("got a refund for"),
    "Email Delivered": _with_campaign("got the mail"),
    "Email Opened": _with_campaign("opened the mail"),
    "Email Link Clicked": _with_campaign("followed a link of the mail"),
    "Subscribed": _always("subscribed"),
    "Unsubscribed": _always("unsubscribed"),
    "Popup Viewed": _with_campaign("saw the pop-up"),
    "Popup Clicked": _with_campaign("clicked the pop-up"),
    "Popup Submitted": _with_campaign("filled in the pop-up"),
    "Ticket Created": _always("wrote a ticket"),
}
