"""A pull from the made-up shop inside this process: no network, no waiting."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson

from pipelines.io.http.client import ApiClient
from pipelines.io.pull.puller import PullCounts, Puller
from pipelines.io.pull.state import PullState
from pipelines.io.targets.target import OutgoingEvent, TargetError
from services.shop_orders import ShopOrders
from transforms.pull.definition import SourceDefinition
from transforms.pull.source_file import load_source

BASE = "http://shop.test"
ENVIRONMENT = {"SHOP_URL": BASE, "SHOP_CLIENT_ID": "client", "SHOP_CLIENT_SECRET": "secret"}
ORDERS = Path(__file__).parent.parent.parent / "sources" / "orders.yaml"


def transport_to(shop: ShopOrders) -> httpx.MockTransport:
    def handle(request: httpx.Request) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        found = shop.answer(request.url.path, request.url.query.decode(), headers, request.read())
        if found.is_lost:
            raise httpx.RemoteProtocolError("the connection breaks here", request=request)
        return httpx.Response(found.status, content=found.body, headers=found.headers)

    return httpx.MockTransport(handle)


@dataclass
class KeptEvents:
    """A target that keeps what it gets, and breaks when it is told to.

    Attributes:
        breaks_at: the number of the `send` that fails, counted from 1; before or after it has kept what it was given.
    """

    events: list[dict[str, Any]] = field(default_factory=list)
    sent: int = 0
    breaks_at: int = 0
    breaks_after: bool = False

    def check(self) -> None:
        """It can always be written to."""

    def send(self, events: Sequence[OutgoingEvent]) -> None:
        self.sent += 1
        if self.sent == self.breaks_at and not self.breaks_after:
            raise TargetError("it breaks")
        self.events += [orjson.loads(event.line) for event in events]
        if self.sent == self.breaks_at:
            raise TargetError("it breaks")

    def close(self) -> None:
        """Nothing to let go of."""

    def standing(self) -> dict[str, dict[str, Any]]:
        """Events by id, without those that were taken back: what the job makes of them.

        Also proves that no id has two contents.
        """
        by_id: dict[str, dict[str, Any]] = {}
        for event in self.events:
            content = {name: value for name, value in event.items() if name != "receivedAt"}
            assert by_id.setdefault(event["messageId"], content) == content
        taken = {event["retracts"] for event in by_id.values() if event["type"] == "retract"}
        return {name: event for name, event in by_id.items() if name not in taken and event["type"] != "retract"}


@dataclass
class Pulling:
    """One source, pulled again and again."""

    shop: ShopOrders
    path: Path
    definition: SourceDefinition = field(default_factory=lambda: load_source(ORDERS, ENVIRONMENT))
    target: Any = field(default_factory=KeptEvents)
    waits: list[float] = field(default_factory=list)

    def pull(self, since_us: int | None = None, tell: Callable[[PullCounts], object] = lambda _c: None) -> PullCounts:
        client = ApiClient(
            self.definition.url,
            self.definition.auth,
            transport=transport_to(self.shop),
            sleep=self.waits.append,
        )
        state = PullState(self.path, self.definition.name)
        try:
            puller = Puller(self.definition, client, state, self.target, now_us=lambda: self.shop.clock_us, tell=tell)
            return puller.pull(since_us)
        finally:
            client.close()
            state.close()

    def totals(self) -> dict[str, Any]:
        """Of each order that stands, its total."""
        found: dict[str, Any] = {}
        for event in self.target.standing().values():
            order_id = event["properties"]["order_id"]
            assert order_id not in found, "an order stands once"
            found[order_id] = event["properties"]["total"]
        return found

    def expected(self) -> dict[str, Any]:
        """What the shop says now of its completed orders."""
        return {
            str(order["id"]): float(order["total"]) if float(order["total"]) % 1 else int(float(order["total"]))
            for order in self.shop.orders.values()
            if order["status"] == "completed"
        }
