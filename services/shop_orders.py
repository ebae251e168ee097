"""A made-up shop's orders, and the faults that it can be told to have. Knows no HTTP library.

| path | pages by |
| --- | --- |
| `/orders` | the header `Link` |
| `/orders/next` | a URL in the body |
| `/orders/cursor` | a cursor in the body |
| `/orders/page` | a page number, with the number of pages in `X-Total-Pages` |
| `/orders/offset` | an offset |

All take `status`, `updated_since` (inclusive) and `limit`, and sort by (updated_at, id): an order that changes goes to
the end, and moves those behind it. `/oauth/token` gives tokens for `client` and `secret`.

| fault | what happens at its request (they are counted from 1) |
| --- | --- |
| `expire` | every token ends |
| `429`, `429-decimal`, `429-date` | refused, with `Retry-After` in three forms |
| `500`, `503` | refused |
| `lost` | half the body, then the connection breaks |
| `html` | a success that is no JSON |
| `error` | a success that tells of an error |
| `change` | the first order of the list changes after the page is given |
| `leave` | the first order of the list is no longer completed after the page is given |
| `empty` | an empty page that says that there is another |
| `repeat` | the next page is this one |
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

START_US = 1_780_000_000_000_000
MINUTE_US = 60_000_000
TOKEN_SECONDS = 3600
Headers = dict[str, str]


@dataclass
class Answer:
    """What a request gets. `is_lost`: the connection breaks in the middle of the body."""

    status: int
    body: bytes
    headers: Headers = field(default_factory=dict)
    is_lost: bool = False


def iso(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def made_order(number: int, changed_us: int) -> dict[str, Any]:
    """An order as the shop tells it."""
    return {
        "id": 1_000 + number,
        "status": "completed",
        "customer": {"id": f"u_{number % 7}", "email": f"person{number % 7}@example.com"},
        "created_at": iso(START_US + number * MINUTE_US),
        "completed_at": iso(START_US + number * MINUTE_US),
        "updated_at": iso(changed_us),
        "currency": "EUR",
        "total": f"{number + 10}.90",
        "lines": [
            {"product_id": f"p_{number % 5}", "name": "Trail Shoe", "category": "Shoes > Running", "price": "10,90 €"}
        ],
    }


@dataclass
class ShopOrders:
    """The shop.

    Args:
        count: of orders.
        base: its URL, for links.
        faults: by number of the request to the orders.
    """

    count: int = 0
    base: str = ""
    faults: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.orders = {1_000 + n: made_order(n, START_US + n * MINUTE_US) for n in range(self.count)}
        self.clock_us = START_US + self.count * MINUTE_US
        self.tokens: set[str] = set()
        self.asked = 0
        self.tokens_given = 0
        self.waits: list[str] = []

    def change(self, order_id: int, **fields: Any) -> None:
        """An order becomes another, a second later than anything before."""
        self.clock_us += 1_000_000
        self.orders[order_id] |= {**fields, "updated_at": iso(self.clock_us)}

    def answer(self, path: str, query: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """What a request gets; names of headers in lower case."""
        if path == "/oauth/token":
            return self._token(dict(parse_qsl(body.decode())), headers)
        if path == "/healthz":
            return Answer(200, b"{}")
        if not path.startswith("/orders"):
            return Answer(404, b"{}")
        self.asked += 1
        fault = self.faults.get(self.asked, "")
        if fault == "expire":
            self.tokens.clear()
        if headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return Answer(401, b'{"error": "invalid_token"}')
        return self._refused(fault) or self._page(path, {k: v[-1] for k, v in parse_qs(query).items()}, fault)

    def _token(self, form: dict[str, str], headers: Mapping[str, str]) -> Answer:
        given = base64.b64decode(headers.get("authorization", "").removeprefix("Basic ")).decode()
        if form.get("grant_type") != "client_credentials" or given != "client:secret":
            return Answer(401, b'{"error": "invalid_client"}', {"content-type": "application/json"})
        self.tokens_given += 1
        token = f"token-{self.tokens_given}"
        self.tokens.add(token)
        told = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return Answer(200, json.dumps(told).encode(), {"content-type": "application/json"})

    def _refused(self, fault: str) -> Answer | None:
        later = {"429": "3", "429-decimal": "2.0", "429-date": _http_date(self.clock_us + 5_000_000)}
        if fault in later:
            return Answer(429, b"{}", {"retry-after": later[fault], "date": _http_date(self.clock_us)})
        if fault in ("500", "503"):
            return Answer(int(fault), b"{}")
        if fault == "html":
            return Answer(200, b"<html>back soon</html>")
        if fault == "error":
            return Answer(200, b'{"error": {"message": "try again"}}')
        return None

    def _page(self, path: str, asked: dict[str, str], fault: str) -> Answer:
        limit = int(asked.get("limit", "10"))
        start = int(asked.get("cursor", asked.get("offset", "0")).partition("-")[0])
        if path == "/orders/page":
            start = (int(asked.get("page", "1")) - 1) * limit
        found = self._found(asked)
        rows = found[start : start + limit]
        has_next = start + limit < len(found)
        if fault == "empty":
            rows, has_next, limit = [], True, 0
        if fault == "repeat":
            has_next, limit = True, 0
        following = f"{start}-{self.asked}" if fault == "empty" else str(start + limit) if has_next else None
        answer = self._told(path, asked, copy.deepcopy(rows), following)
        if path == "/orders/page":
            answer.headers["x-total-pages"] = str(-(-len(found) // max(limit, 1)))
        answer.is_lost = fault == "lost"
        if fault == "change" and found:
            self.change(found[0]["id"], total="99.00")
        if fault == "leave" and found:
            self.change(found[0]["id"], status="cancelled")
        return answer

    def _found(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        since, status = asked.get("updated_since", ""), asked.get("status")
        found = [
            order
            for order in self.orders.values()
            if (order["updated_at"] or "9") >= since and status in (None, order["status"])
        ]
        return sorted(found, key=lambda order: (order["updated_at"] or "", order["id"]))

    def _told(self, path: str, asked: dict[str, str], rows: list[dict[str, Any]], following: str | None) -> Answer:
        headers = {"content-type": "application/json", "date": _http_date(self.clock_us)}
        body: dict[str, Any] = {"orders": rows}
        url = f"{self.base}{path}?{urlencode({**asked, 'cursor': following})}"
        if path == "/orders" and following is not None:
            headers["link"] = f'<{self.base}/orders>; rel="first", <{url}>; rel="next"'
        if path == "/orders/next":
            body["next"] = None if following is None else url
        if path == "/orders/cursor":
            body["cursor"] = following
        return Answer(200, json.dumps(body).encode(), headers)


def _http_date(at_us: int) -> str:
    return formatdate(at_us / 1_000_000, usegmt=True)
