"""Numbers as instants and properties left out, on request; unplanned events; what libraries raise on a record."""

from __future__ import annotations

import orjson
import pytest

from schemas.event import Event, Failure
from schemas.failure_reasons import REASONS
from schemas.tracking_plan import load_tracking_plan
from tests.parse.made_messages import NOON_US, accepted, message, parse, refused
from transforms.parse import EventParser
from transforms.parse.events import MAX_NAMES, OTHER
from transforms.parse.violations import UNREADABLE, Epoch


@pytest.mark.parametrize(("epoch", "number"), [("seconds", 1_803_902_400), ("milliseconds", 1_803_902_400_000)])
def test_numbers_are_instants_on_request(epoch: Epoch, number: float) -> None:
    parser = EventParser(load_tracking_plan(), epoch=epoch)
    assert accepted(message(timestamp=number), parser).timestamp == NOON_US
    assert accepted(message(timestamp=float(number)), parser).timestamp == NOON_US
    received = accepted(message(timestamp=None, receivedAt=number), parser)
    assert (received.timestamp, received.received_at) == (NOON_US, NOON_US)
    assert accepted(message(), parser).timestamp == NOON_US
    assert refused(message(timestamp=10**18), parser)[1] == (f"/timestamp: {UNREADABLE}",)
    assert refused(message(timestamp=False), parser)[0] == "schema_violation"


def test_milliseconds_keep_their_fraction() -> None:
    parser = EventParser(load_tracking_plan(), epoch="milliseconds")
    assert accepted(message(timestamp=1.5), parser).timestamp == 1500


def test_wrong_properties_are_left_out_on_request() -> None:
    parser = EventParser(load_tracking_plan(), violations="drop")
    products: list[object] = [{"product_id": "a", "price": "much"}, 5, {"product_id": "b", "price": 2}, "x"]
    properties = {"order_id": "1", "currency": "", "coupon": False, "total": 9.5, "products": products}
    event = accepted(message(event="Order Completed", properties=properties), parser)
    assert orjson.loads(event.properties or b"") == {
        "order_id": "1",
        "total": 9.5,
        "products": [{"product_id": "a"}, {"product_id": "b", "price": 2}],
    }
    assert parser.dropped_counts == {
        "Order Completed: coupon": 1,
        "Order Completed: currency": 1,
        "Order Completed: products.$": 2,
        "Order Completed: products.$.price": 1,
    }
    assert accepted(message(properties=[]), parser).properties is None
    assert refused(message(event="Order Completed", properties={"currency": ""}))[0] == "schema_violation"


@pytest.mark.parametrize("changes", [{"userId": 5}, {"timestamp": "?"}, {"context": []}, {"userId": "null"}])
def test_nothing_is_left_out_of_an_event_that_fails_all_the_same(changes: dict[str, object]) -> None:
    parser = EventParser(load_tracking_plan(), violations="drop")
    refused(message(**changes, properties={"price": "much"}), parser)
    assert parser.dropped_counts == {}


@pytest.mark.parametrize("field", ["messageId", "type", "userId", "event", "timestamp", "properties", "sentAt", "x"])
@pytest.mark.parametrize("depth", [1, 200, 254, 255, 256, 512, 1000, 1023, 1024, 1_000_000])
def test_no_depth_ends_a_job(field: str, depth: int) -> None:
    for violations in ("fail", "drop"):
        parser = EventParser(load_tracking_plan(), violations=violations)  # type: ignore[arg-type]
        for opened, closed in ((b"[", b"]"), (b'{"a":', b"}")):
            raw = orjson.dumps(message(**{field: ...}))[:-1] + b',"' + field.encode() + b'":'
            raw += opened * depth + b"1" + closed * depth + b"}"
            result = parser.parse(raw, "test")
            assert isinstance(result, Event) or (result.raw == raw and result.reason in REASONS)


class _Panic(BaseException):
    pass


@pytest.mark.parametrize("error", [ValueError, RuntimeError, RecursionError, _Panic])
def test_what_a_validator_raises_is_the_records_failure(error: type[BaseException]) -> None:
    def broken(_record: object) -> bool:
        raise error

    parser = EventParser(load_tracking_plan())
    parser._validators["track", "Product Viewed"] = broken
    failure = parser.parse(orjson.dumps(message()), "test")
    assert isinstance(failure, Failure)
    assert failure.reason in ("schema_violation", "malformed_json")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_what_ends_the_process_is_no_records_failure(error: type[BaseException]) -> None:
    def broken(_record: object) -> bool:
        raise error

    parser = EventParser(load_tracking_plan())
    parser._validators["track", "Product Viewed"] = broken
    with pytest.raises(error):
        parse(message(), parser)


def test_a_fault_of_our_own_code_is_not_hidden() -> None:
    parser = EventParser(load_tracking_plan())
    parser._blocks = lambda _value: 1 / 0  # type: ignore[assignment,return-value]
    with pytest.raises(ZeroDivisionError):
        parse(message(), parser)


def test_unplanned_events_are_counted_and_pass_by_default() -> None:
    parser = EventParser(load_tracking_plan())
    for name in ("Moon Seen", "Moon Seen", "Product Viewed"):
        accepted(message(event=name), parser)
    accepted(message(type="page", event=...), parser)
    assert parser.unplanned_counts == {"Moon Seen": 2}


def test_unplanned_events_fail_on_request() -> None:
    parser = EventParser(load_tracking_plan(), unplanned="fail")
    assert refused(message(event="Moon Seen"), parser) == ("unplanned_event", ("/event: no schema names it",))
    assert parser.unplanned_counts == {"Moon Seen": 1}
    assert accepted(message(type="page", event=...), parser)
    with pytest.raises(ValueError, match="perhaps"):
        EventParser(load_tracking_plan(), unplanned="perhaps")  # type: ignore[arg-type]


def test_names_of_unplanned_events_do_not_fill_the_memory() -> None:
    parser = EventParser(load_tracking_plan())
    for number in range(MAX_NAMES + 5):
        accepted(message(event=f"Page {number}"), parser)
    assert len(parser.unplanned_counts) == MAX_NAMES + 1
    assert parser.unplanned_counts[OTHER] == 5


def test_long_names_are_counted_by_their_beginning() -> None:
    parser = EventParser(load_tracking_plan())
    accepted(message(event="x" * 100_000), parser)
    assert parser.unplanned_counts == {"x" * 200: 1}
