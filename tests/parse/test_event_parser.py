"""Every reason, every fallback, every type of message."""

from __future__ import annotations

import pickle

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import Event, Failure
from schemas.failure_reasons import REASONS
from schemas.tracking_plan import EVENT_TYPES, load_tracking_plan
from tests.parse.made_messages import HOUR_US, NOON, NOON_US, PARSER, accepted, message, parse, refused
from transforms.parse import EventParser

UNREADABLE = "expected an ISO 8601 date-time with a zone, in the years 1 to 9999"


def test_a_track_message_becomes_an_event() -> None:
    event = accepted(message(anonymousId="phone", receivedAt="2027-03-01T12:00:01Z", context={"locale": "en"}))
    assert event == Event(
        message_id="m-1",
        timestamp=NOON_US,
        type="track",
        name="Product Viewed",
        user_id="ada",
        anonymous_id="phone",
        previous_id=None,
        group_id=None,
        received_at=NOON_US + 1_000_000,
        properties=b'{"product_id":"boots","price":129.95}',
        traits=None,
        context=b'{"locale":"en"}',
    )


def test_other_types() -> None:
    base = {"event": ..., "properties": ...}
    assert accepted(message(**base, type="page", name="Home")).name == "Home"
    assert accepted(message(**base, type="screen", name=None)).name == ""
    assert accepted(message(**base, type="identify", name="ignored", traits={"a": None})).traits == b'{"a":null}'
    assert accepted(message(**base, type="identify", name="ignored")).name == ""
    assert accepted(message(**base, type="group", groupId="acme")).group_id == "acme"
    assert accepted(message(**base, type="alias", previousId="old")).previous_id == "old"
    assert accepted(message(**base, type="delete")).user_id == "ada"
    assert accepted(message(groupId="acme", previousId="old")).group_id is None


@pytest.mark.parametrize(
    ("raw", "reason", "error"),
    [
        (b"", "malformed_json", "character 1"),
        (b"{", "malformed_json", "character"),
        (b'{"a": NaN}', "malformed_json", "character"),
        (b'{"a": 1e999}', "malformed_json", "character"),
        (b'{"a": "\\ud800"}', "malformed_json", "character"),
        (b"[" * 100_000, "malformed_json", "depth"),
        (b"[]", "malformed_json", ": expected a JSON object"),
        (b"null", "malformed_json", ": expected a JSON object"),
        (b'{"a": "\xff"}', "not_utf8", ": byte 8 is not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "not_utf8", ": byte 8 is not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not_utf8", ": byte 1 is not UTF-8"),
    ],
)
def test_bytes_that_are_no_json_object(raw: bytes, reason: str, error: str) -> None:
    failure = PARSER.parse(raw, "inbox", {"topic": "t"})
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.raw, failure.source, failure.attributes) == (reason, raw, "inbox", {"topic": "t"})
    assert (failure.stage, failure.message_id, failure.received_at) == ("parse", None, None)
    assert error in failure.errors[0]


def test_a_byte_order_mark_is_ignored_but_kept_in_failures() -> None:
    mark = b"\xef\xbb\xbf"
    assert isinstance(PARSER.parse(mark + orjson.dumps(message()), "test"), Event)
    failure = PARSER.parse(mark + b"[]", "test")
    assert isinstance(failure, Failure)
    assert failure.raw == mark + b"[]"


def test_too_large() -> None:
    raw = orjson.dumps(message())
    assert isinstance(EventParser(load_tracking_plan(), max_event_bytes=len(raw)).parse(raw, "test"), Event)
    failure = EventParser(load_tracking_plan(), max_event_bytes=len(raw) - 1).parse(raw, "test")
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.raw) == ("too_large", raw)


def test_nesting_that_cannot_be_written_again_is_malformed() -> None:
    deep = b'{"a":' * 300 + b"1" + b"}" * 300
    raw = orjson.dumps(message(properties=...))[:-1] + b',"properties":' + deep + b"}"
    failure = PARSER.parse(raw, "test")
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.errors, failure.stage) == ("malformed_json", (": nested too deeply",), "parse")
    unread = orjson.dumps(message())[:-1] + b',"integrations":' + deep + b"}"
    assert isinstance(PARSER.parse(unread, "test"), Event)


def test_numbers_beyond_64_bits_become_floats() -> None:
    raw = orjson.dumps(message(properties=...))[:-1] + b',"properties":{"n":123456789012345678901234567890}}'
    event = PARSER.parse(raw, "test")
    assert isinstance(event, Event)
    assert event.properties == b'{"n":1.2345678901234568e+29}'


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"messageId": ...}, ["/messageId: is required"]),
        ({"messageId": None}, ["/messageId: expected string"]),
        ({"messageId": ""}, ["/messageId: expected text of at least 1 characters"]),
        ({"messageId": 5}, ["/messageId: expected string"]),
        ({"type": ...}, ["/type: is required"]),
        ({"type": ["track"]}, ["/type: expected "]),
        ({"type": {}}, ["/type: expected "]),
        ({"type": "Track"}, ["/type: expected "]),
        ({"event": ...}, ["/event: is required"]),
        ({"event": ""}, ["/event: expected text of at least 1 characters"]),
        ({"event": ["Product Viewed"]}, ["/event: expected string"]),
        ({"userId": 42}, ["/userId: expected string or null"]),
        ({"anonymousId": True}, ["/anonymousId: expected string or null"]),
        ({"properties": []}, ["/properties: expected object or null"]),
        ({"properties": "{}"}, ["/properties: expected object or null"]),
        ({"traits": "vip"}, ["/traits: expected object or null"]),
        ({"context": 1}, ["/context: expected object or null"]),
        ({"timestamp": 1_803_902_400}, [f"/timestamp: {UNREADABLE}, not a number (--epoch"]),
        ({"timestamp": True}, [f"/timestamp: {UNREADABLE}"]),
        ({"timestamp": "yesterday"}, [f"/timestamp: {UNREADABLE}"]),
        ({"timestamp": "2027-03-01T12:00:00"}, [f"/timestamp: {UNREADABLE}"]),
        ({"receivedAt": "2027-02-30T12:00:00Z"}, [f"/receivedAt: {UNREADABLE}"]),
        (
            {"timestamp": None, "receivedAt": NOON, "sentAt": 5, "originalTimestamp": "x"},
            [f"/originalTimestamp: {UNREADABLE}", f"/sentAt: {UNREADABLE}, not a number"],
        ),
        ({"properties": {"price": "129"}}, ["/properties/price: expected number or null"]),
        ({"properties": {"currency": "Euro"}}, ["/properties/currency: expected text that matches ^[A-Za-z]{3}$"]),
        ({"type": "group"}, ["/groupId: is required"]),
        ({"type": "page", "name": 5}, ["/name: expected string or null"]),
        ({"type": "alias", "previousId": 5}, ["/previousId: expected string or null"]),
        ({"type": "identify", "traits": []}, ["/traits: expected object or null"]),
    ],
)
def test_schema_violations(changes: dict[str, object], errors: list[str]) -> None:
    reason, found = refused(message(**changes))
    assert reason == "schema_violation"
    assert len(found) == len(errors)
    for got, expected in zip(found, errors, strict=True):
        assert got.startswith(expected)


def test_all_violations_are_listed_and_none_quotes_a_value() -> None:
    products = [{"price": "secret", "quantity": 1}, "secret"]
    properties = {"total": "secret", "currency": "secret", "products": products}
    record = message(userId=9, timestamp="secret", event="Order Completed", properties=properties)
    reason, errors = refused(record)
    assert reason == "schema_violation"
    assert [error.partition(":")[0] for error in errors] == [
        "/properties/currency",
        "/properties/products/0/price",
        "/properties/products/1",
        "/properties/total",
        "/timestamp",
        "/userId",
    ]
    assert "secret" not in str(errors)


def test_a_failure_says_which_message_and_when_where_it_can() -> None:
    failure = parse(message(event=5, receivedAt=NOON))
    assert isinstance(failure, Failure)
    assert (failure.message_id, failure.received_at, failure.stage) == ("m-1", NOON_US, "validate")
    unreadable = parse(message(messageId=5, receivedAt="?"))
    assert isinstance(unreadable, Failure)
    assert (unreadable.message_id, unreadable.received_at) == (None, None)


def test_shipped_schemas_allow_null_and_unknown_properties() -> None:
    properties = {"price": None, "product_id": 7, "currency": None, "colour": {"a": [1]}, "products": None}
    assert accepted(message(properties=properties))
    assert accepted(message(properties=None)).properties is None
    assert accepted(message(properties={})).properties == b"{}"


def test_traits_are_never_a_reason_to_refuse() -> None:
    traits = {"email": 5, "age": "old", "birthday": [], "address": "somewhere", "createdAt": "?"}
    assert accepted(message(type="identify", traits=traits))


# --- time ------------------------------------------------------------------------------------------------------------


def test_event_time_falls_back_to_the_senders_difference_and_then_to_receipt() -> None:
    absent = {"timestamp": None, "receivedAt": NOON}
    clocks = {"originalTimestamp": "2020-01-01T00:00:00Z", "sentAt": "2020-01-01T01:00:00Z"}
    assert accepted(message(**absent, **clocks)).timestamp == NOON_US - HOUR_US
    assert accepted(message(**absent)).timestamp == NOON_US
    assert accepted(message(**absent, sentAt=clocks["sentAt"])).timestamp == NOON_US
    assert accepted(message(**absent, originalTimestamp=clocks["sentAt"])).timestamp == NOON_US
    assert refused(message(timestamp=..., **clocks))[0] == "missing_timestamp"
    assert refused(message(timestamp=None))[0] == "missing_timestamp"


def test_more_than_24_hours_after_receipt_is_in_the_future() -> None:
    assert accepted(message(timestamp="2027-03-02T12:00:00Z", receivedAt=NOON))
    late = message(timestamp="2027-03-02T12:00:00.000001Z", receivedAt=NOON)
    assert refused(late)[0] == "timestamp_in_future"
    assert accepted(message(timestamp="2999-01-01T00:00:00Z"))
    skewed = {"originalTimestamp": "2027-03-05T00:00:00Z", "sentAt": "2027-03-01T00:00:00Z"}
    assert refused(message(timestamp=None, receivedAt=NOON, **skewed))[0] == "timestamp_in_future"


def test_a_derived_time_outside_the_calendar_is_a_violation() -> None:
    clocks = {"originalTimestamp": "0001-01-01T00:00:00Z", "sentAt": "9999-01-01T00:00:00Z"}
    reason, errors = refused(message(timestamp=None, receivedAt=NOON, **clocks))
    assert (reason, errors) == ("schema_violation", (f"/originalTimestamp: with receivedAt and sentAt, {UNREADABLE}",))


# --- who -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({}, ("/userId: is required, or else anonymousId",)),
        ({"userId": None, "anonymousId": None}, ("/userId: is required, or else anonymousId",)),
        ({"type": "alias", "anonymousId": "a"}, ("/previousId: is required", "/userId: is required")),
        ({"type": "alias", "userId": "ada"}, ("/previousId: is required",)),
        ({"type": "alias", "previousId": "old", "anonymousId": "a"}, ("/userId: is required",)),
        ({"type": "delete", "anonymousId": "a"}, ("/userId: is required",)),
    ],
)
def test_missing_identifier(changes: dict[str, object], errors: tuple[str, ...]) -> None:
    assert refused(message(**({"userId": ...} | changes))) == ("missing_identifier", errors)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "null",
        "NULL",
        "undefined",
        "None",
        "\tAnonymous\n",
        "-1",
        "0",
        "000",
        "-",
        "00000000-0000-0000-0000-000000000000",
    ],
)
def test_blocked_identifiers(value: str) -> None:
    for field in ("userId", "anonymousId", "previousId") if value.strip() else ("userId", "previousId"):
        record = message(type="alias", userId="ada", anonymousId="phone", previousId="old") | {field: value}
        expected = (f"/{field}: expected an identifier, not a value that stands for nobody",)
        assert refused(record) == ("blocked_identifier", expected)


@pytest.mark.parametrize("value", ["nullable", "0001", "-2", "00a", "a", "user-none", "anonymous2"])
def test_values_that_are_like_blocked_ones(value: str) -> None:
    assert accepted(message(userId=value)).user_id == value


def test_blocked_identifiers_are_configurable() -> None:
    parser = EventParser(load_tracking_plan(), blocked_identifiers=frozenset({" Unknown "}))
    assert refused(message(userId="UNKNOWN"), parser)[0] == "blocked_identifier"
    assert accepted(message(userId="null"), parser)
    assert refused(message(userId="0-0"), parser)[0] == "blocked_identifier"


def test_null_identifiers_count_as_absent() -> None:
    event = accepted(message(userId=None, anonymousId="phone"))
    assert (event.user_id, event.anonymous_id) == (None, "phone")


@pytest.mark.parametrize("empty", ["", " ", "\t"])
def test_an_empty_identifier_beside_a_good_one_counts_as_absent(empty: str) -> None:
    visitor = accepted(message(userId=empty, anonymousId="phone"))
    assert (visitor.user_id, visitor.anonymous_id) == (None, "phone")
    user = accepted(message(userId="ada", anonymousId=empty))
    assert (user.user_id, user.anonymous_id) == ("ada", None)
    assert accepted(message(type="delete", userId="ada", anonymousId=empty)).anonymous_id is None
    assert refused(message(userId=empty, anonymousId=empty))[0] == "blocked_identifier"
    assert refused(message(userId=empty))[0] == "blocked_identifier"
    assert refused(message(userId=empty, anonymousId="null"))[0] == "blocked_identifier"
    assert refused(message(type="delete", userId=empty, anonymousId="phone"))[0] == "blocked_identifier"
    assert refused(message(type="alias", userId=empty, anonymousId="phone", previousId="o"))[0] == "blocked_identifier"


def test_an_identify_without_traits_has_those_of_its_context() -> None:
    context = {"traits": {"email": "ada@example.com"}, "locale": "en"}
    for absent in (..., None, {}):
        event = accepted(message(type="identify", traits=absent, context=context))
        assert event.traits == b'{"email":"ada@example.com"}'
    assert accepted(message(type="identify", traits={"a": 1}, context=context)).traits == b'{"a":1}'
    assert accepted(message(type="identify", traits={}, context={"traits": ["x"]})).traits == b"{}"
    assert accepted(message(type="group", groupId="g", context=context)).traits is None


@pytest.mark.parametrize("clock", ["", "yesterday", 5, True, [], {}])
def test_a_senders_clock_that_decides_nothing_counts_as_absent(clock: object) -> None:
    assert accepted(message(sentAt=clock, originalTimestamp=clock)).timestamp == NOON_US
    assert accepted(message(timestamp=None, receivedAt=NOON, sentAt=clock)).timestamp == NOON_US
    assert accepted(message(timestamp=None, receivedAt=NOON, originalTimestamp=clock)).timestamp == NOON_US
    assert refused(message(timestamp=None, sentAt=clock, originalTimestamp=NOON))[0] == "missing_timestamp"
    deciding = message(timestamp=None, receivedAt=NOON, sentAt=clock, originalTimestamp=NOON)
    assert refused(deciding)[0] == "schema_violation"


# --- unplanned events, order, workers --------------------------------------------------------------------------------


def test_the_first_check_that_fails_is_the_reason() -> None:
    parser = EventParser(load_tracking_plan(), unplanned="fail")
    record = message(event="Moon Seen", userId=5, timestamp="2027-03-05T00:00:00Z", receivedAt=NOON)
    reasons = []
    for repair in ({}, {"userId": ...}, {"event": "Product Viewed"}, {"userId": "null"}, {"userId": "ada"}):
        record |= repair
        reasons.append(refused({name: value for name, value in record.items() if value is not ...}, parser)[0])
    order = ["schema_violation", "unplanned_event", "missing_identifier", "blocked_identifier", "timestamp_in_future"]
    assert reasons == order
    assert [reason for reason in REASONS if reason in order] == order


def test_a_parser_pickles() -> None:
    parser = EventParser(load_tracking_plan(), frozenset({"nobody"}), "fail", 1000)
    copy = pickle.loads(pickle.dumps(parser))  # noqa: S301 - made here
    for record in (message(), message(userId="nobody"), message(event="Moon Seen"), message(messageId="m" * 1000)):
        assert parse(record, copy) == parse(record, parser)


# --- anything --------------------------------------------------------------------------------------------------------

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=6,
)
_values = _json | st.sampled_from(["ada", "null", NOON, "2027-13-01T00:00:00Z", "Order Completed", *EVENT_TYPES])
_names = ["messageId", "type", "userId", "anonymousId", "previousId", "groupId", "event", "name", "timestamp", "sentAt"]
_fields = st.sampled_from([*_names, "originalTimestamp", "receivedAt", "properties", "traits", "context"])


@given(st.binary())
def test_any_bytes_are_an_event_or_a_failure(raw: bytes) -> None:
    result = PARSER.parse(raw, "test")
    assert isinstance(result, Failure)
    assert result.raw == raw
    assert result.reason in REASONS


@given(st.dictionaries(_fields, _values), st.booleans())
def test_any_object_is_an_event_or_a_failure(changes: dict[str, object], from_good: bool) -> None:
    result = parse(message(**changes) if from_good else changes)
    if isinstance(result, Failure):
        assert result.reason in REASONS
        assert all(error.startswith(("/", ":")) for error in result.errors)
        assert result.errors
    else:
        assert result.message_id
        assert result.type in EVENT_TYPES
        assert result.user_id or result.anonymous_id


@given(st.integers(0, 10_000), st.binary(max_size=4))
def test_a_damaged_message_is_an_event_or_a_failure(position: int, damage: bytes) -> None:
    raw = bytearray(orjson.dumps(message(properties={"name": "Stiefel \u00fc"}, traits=None)))
    raw[position % len(raw) : position % len(raw) + len(damage)] = damage
    result = PARSER.parse(bytes(raw), "test")
    assert isinstance(result, Event) or result.raw == bytes(raw)
