"""A source's file: every mistake is told with its place; what ships makes events that the plan takes."""

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.errors import DefinitionErrors
from schemas.event import Event
from schemas.tracking_plan import load_tracking_plan
from tests.pull.shop_client import ENVIRONMENT, ORDERS
from transforms.parse import BLOCKED_IDENTIFIERS, DEFAULT_MAX_EVENT_BYTES, EventParser
from transforms.pull.definition import SourceDefinition
from transforms.pull.events import event_of, rows_of, to_wire
from transforms.pull.source_file import load_source
from transforms.pull.versions import version_of

SOURCES = ORDERS.parent
SECRETS = {
    **ENVIRONMENT,
    "SHOPIFY_SHOP": "made-up.myshopify.com",
    "SHOPIFY_TOKEN": "shpat_made_up",
    "WOOCOMMERCE_URL": "https://shop.example",
    "WOOCOMMERCE_KEY": "ck",
    "WOOCOMMERCE_SECRET": "cs",
}
GOOD = """\
url: https://shop.example/orders
id: id
map:
  type: track
  event: Order Completed
  userId: customer.id
  timestamp: {date: at}
"""


def read(folder: Path, text: str, environment: dict[str, str] | None = None) -> SourceDefinition:
    path = folder / "shop.yaml"
    path.write_text(text)
    return load_source(path, environment or {})


@pytest.mark.parametrize(
    ("before", "after", "place", "told"),
    [
        ("url:", "uri:", "1:1", "unknown key 'uri'"),
        ("https:", "ftp:", "1:6", "this is no URL of a web server"),
        ("https://shop.example", "$NOWHERE", "1:6", "the environment variable NOWHERE is not set"),
        ("  type: track\n", "", "4:3", "map has no type"),
        ("type: track", "type: trak", "4:9", "did you mean 'track'?"),
        ("{date: at}", "{dat: at}", "7:15", "did you mean 'date'?"),
        ("{date: at}", "{date: at, zone: Europe/Berln}", "7:31", "did you mean 'Europe/Berlin'?"),
        ("{date: at}", "{date: at, order: ymd}", "7:32", "unknown order 'ymd'"),
        ("{date: at}", "{date: at, minor: true}", "7:25", "unknown key 'minor' in 'date'"),
        ("userId: customer.id", "userId: customer..id", "6:11", "'customer..id' is no path"),
        ("  userId: customer.id\n", "", "4:3", "map says not whose event it is"),
        ("userId:", "userID:", "6:3", "did you mean 'userId'?"),
        ("id: id", "id: id\npages: {kind: pages}", "3:15", "did you mean 'page'?"),
        ("id: id", "id: id\npages: {kind: page}", "3:8", "pages of kind page has no parameter"),
        ("id: id", "id: id\npages: {kind: link, parameter: x}", "3:32", "pages of kind link has no 'parameter'"),
        ("id: id", "id: id\npages: {kind: link, size: many}", "3:27", "a whole number from 1 to 100000"),
        ("id: id", "id: id\nauth: {kind: oauth2}", "3:7", "has no token_url and no client_id and no client_secret"),
        ("id: id", "id: id\nauth: {kind: oauth}", "3:14", "did you mean 'oauth2'?"),
        ("id: id", "id: id\nchanged: {fields: at, overlap: 1 huor}", "3:32", "unknown unit 'huor'"),
        ("id: id", "id: id\nchanged: {parameter: since}", "3:10", "changed has no fields"),
        ("id: id", "id: id\nreplaces: perhaps", "3:11", "true or false"),
        ("id: id", "id: [id]", "2:5", "this is a list"),
        ("id: id", "id: id\nid: other", "3:1", "the key 'id' is written twice"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, before: str, after: str, place: str, told: str) -> None:
    assert before in GOOD
    with pytest.raises(DefinitionErrors) as refused:
        read(tmp_path, GOOD.replace(before, after, 1))
    assert f"shop.yaml:{place}: " in str(refused.value)
    assert told in str(refused.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(DefinitionErrors) as refused:
        read(tmp_path, GOOD.replace("https:", "ftp:").replace("{date: at}", "{dat: at}").replace("track", "trak"))
    assert len(refused.value.problems) == 3


def test_a_file_without_what_it_needs_says_so(tmp_path: Path) -> None:
    with pytest.raises(DefinitionErrors, match="the source has no url and no id and no map"):
        read(tmp_path, "description: nothing\n")


def test_variables_are_put_in_and_a_dollar_can_be_written(tmp_path: Path) -> None:
    text = GOOD.replace("id: id", 'id: id\nquery: {a: $A-x, b: "${A}y", c: $$5}')
    assert read(tmp_path, text, {"A": "1"}).query == {"a": "1-x", "b": "1y", "c": "$5"}


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    text = GOOD.replace("id: id", "id: id\nauth: {kind: bearer, token: $TOKEN}\nheaders: {X-Key: $TOKEN}")
    assert "hush" not in repr(read(tmp_path, text, {"TOKEN": "hush"}))


PARSER = EventParser(load_tracking_plan(None), BLOCKED_IDENTIFIERS, "fail", DEFAULT_MAX_EVENT_BYTES)


def events_of(source: str, body: Any) -> list[dict[str, Any]]:
    """The events of a page, each of which the job's parser takes."""
    definition = load_source(SOURCES / f"{source}.yaml", SECRETS)
    rows = rows_of(definition, body)
    assert rows is not None
    unreadable: Counter[str] = Counter()
    made = [event_of(definition, row, version_of(definition, row), 1_782_820_980_000_000, unreadable) for row in rows]
    assert not unreadable
    for event in made:
        parsed = PARSER.parse(to_wire(event), "pull", {})
        assert isinstance(parsed, Event), parsed
    return [orjson.loads(to_wire(event)) for event in made]


def test_every_source_that_ships_can_be_read() -> None:
    assert {path.stem for path in SOURCES.glob("*.yaml")} == {"orders", "shopify_orders", "woocommerce_orders"}
    for path in SOURCES.glob("*.yaml"):
        definition = load_source(path, SECRETS)
        assert definition.replaces
        assert definition.changed is not None
        assert definition.description


SHOPIFY = {
    "orders": [
        {
            "id": 450789469,
            "updated_at": "2026-06-30T14:03:00+02:00",
            "created_at": "2026-06-30T14:00:00+02:00",
            "processed_at": "2026-06-30T14:00:00+02:00",
            "financial_status": "paid",
            "email": "bob@example.com",
            "customer": {"id": 207119551},
            "checkout_id": 901414060,
            "source_name": "web",
            "currency": "USD",
            "subtotal_price": "597.00",
            "total_price": "598.94",
            "total_tax": "11.94",
            "total_discounts": "10.00",
            "discount_codes": [{"code": "TENOFF", "amount": "10.00"}],
            "total_shipping_price_set": {"shop_money": {"amount": "0.00", "currency_code": "USD"}},
            "line_items": [
                {"product_id": 632910392, "sku": "IPOD", "title": "Player", "price": "199.00", "quantity": 3}
            ],
        }
    ]
}


def test_an_order_of_shopify() -> None:
    [event] = events_of("shopify_orders", SHOPIFY)
    assert event["messageId"] == "shopify_orders:450789469:2026-06-30T12:03:00Z"
    assert event["event"] == "Order Completed"
    assert event["userId"] == "207119551"
    assert event["timestamp"] == "2026-06-30T12:00:00Z"
    assert event["properties"]["total"] == 598.94
    assert event["properties"]["shipping"] == 0
    assert event["properties"]["coupon"] == "TENOFF"
    assert event["properties"]["products"][0] == {
        "product_id": "632910392",
        "sku": "IPOD",
        "name": "Player",
        "price": 199,
        "quantity": 3,
    }
    assert "bob" not in orjson.dumps(event).decode()


WOOCOMMERCE = [
    {
        "id": 727,
        "status": "processing",
        "currency": "JPY",
        "date_created_gmt": "2026-06-30T12:00:00",
        "date_modified_gmt": "2026-06-30T12:03:00",
        "date_paid_gmt": None,
        "customer_id": 0,
        "billing": {"email": "Guest@example.com"},
        "total": "2900",
        "total_tax": "0",
        "shipping_total": "1000",
        "discount_total": "0",
        "coupon_lines": [],
        "payment_method": "bacs",
        "line_items": [
            {"product_id": 93, "variation_id": 0, "sku": "", "name": "Woo Single", "price": 3.5, "quantity": 2}
        ],
    }
]


def test_a_guests_order_of_woocommerce() -> None:
    [event] = events_of("woocommerce_orders", WOOCOMMERCE)
    assert event["messageId"] == "woocommerce_orders:727:2026-06-30T12:03:00Z"
    assert "userId" not in event
    assert len(event["anonymousId"]) == 32
    assert event["timestamp"] == "2026-06-30T12:00:00Z"
    assert event["properties"]["products"] == [{"product_id": "93", "name": "Woo Single", "price": 3.5, "quantity": 2}]


def test_an_order_of_the_shop() -> None:
    from services.shop_orders import ShopOrders

    shop = ShopOrders(1, "http://shop.test")
    [event] = events_of("orders", {"orders": list(shop.orders.values())})
    assert event["properties"]["products"] == [
        {"product_id": "p_0", "name": "Trail Shoe", "category": ["Shoes", "Running"], "price": 10.9}
    ]
    assert event["properties"]["currency"] == "EUR"
    assert [events_of("orders", list(shop.orders.values()))] == [[event]], "a bare list is a page, too"


def test_a_value_that_cannot_be_read_stays_for_the_job_to_refuse() -> None:
    definition = load_source(SOURCES / "shopify_orders.yaml", SECRETS)
    row = {**SHOPIFY["orders"][0], "total_price": "a lot", "processed_at": "soon"}
    unreadable: Counter[str] = Counter()
    event = event_of(definition, row, version_of(definition, row), 0, unreadable)
    assert unreadable == {"properties.total": 1, "timestamp": 1}
    assert event["properties"]["total"] == "a lot"
    assert event["timestamp"] == "soon"
