"""The events that ship have the shapes of a real store, and are what the generator makes today."""

import math
import statistics
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import orjson
import pytest

from examples.generate import BROKEN, DEFAULT_DAYS, DEFAULT_EVENTS, DEFAULT_SEED
from examples.history import make_history
from examples.visitors import VIP_NUMBERS
from schemas import failure_reasons as reasons
from schemas.event import MICROSECONDS_PER_SECOND, Event, Failure
from schemas.instants import instant_text
from schemas.tracking_plan import load_tracking_plan
from tests.examples.files import SHIPPED, read_messages
from transforms.parse import EventParser, canonical_content_hash

LARGEST_FILES_BYTES = 4_000_000
VISIT_GAP_US = 30 * 60 * MICROSECONDS_PER_SECOND


@pytest.fixture(scope="module")
def messages() -> list[bytes | Failure]:
    return read_messages(SHIPPED)


@pytest.fixture(scope="module")
def parsed(messages: list[bytes | Failure]) -> list[tuple[bytes, Event | Failure]]:
    parser = EventParser(load_tracking_plan())
    return [
        (message.raw, message) if isinstance(message, Failure) else (message, parser.parse(message, "examples"))
        for message in messages
    ]


@pytest.fixture(scope="module")
def events(parsed: list[tuple[bytes, Event | Failure]]) -> list[Event]:
    """Accepted events, each message id once."""
    return list({event.message_id: event for _, event in parsed if isinstance(event, Event)}.values())


def visitors_of(events: list[Event]) -> dict[str, list[Event]]:
    """The events of each visitor: of all ids that ever came together."""
    parents: dict[str, str] = {}

    def root(name: str) -> str:
        while parents.setdefault(name, name) != name:
            name = parents[name]
        return name

    for event in events:
        ids = [f"{kind} {value}" for kind, value in (("u", event.user_id), ("a", event.anonymous_id)) if value]
        for other in ids[1:]:
            parents[root(other)] = root(ids[0])
    grouped = defaultdict(list)
    for event in events:
        grouped[root(f"u {event.user_id}" if event.user_id else f"a {event.anonymous_id}")].append(event)
    return grouped


def test_they_are_small_and_of_every_format() -> None:
    files = list(SHIPPED.iterdir())
    assert sorted("".join(file.suffixes) for file in files) == [".avro", ".ndjson", ".ndjson.gz", ".parquet"]
    assert sum(file.stat().st_size for file in files) < LARGEST_FILES_BYTES


def test_they_are_what_the_generator_makes(messages: list[bytes | Failure]) -> None:
    """`python -m examples.generate --format mixed --output examples/events` makes them again."""

    def comparable(message: bytes) -> Any:
        try:
            return orjson.dumps(orjson.loads(message), option=orjson.OPT_SORT_KEYS)
        except orjson.JSONDecodeError:
            return message

    shipped = Counter(comparable(message) for message in messages if isinstance(message, bytes))
    made = make_history(DEFAULT_EVENTS, DEFAULT_SEED, DEFAULT_DAYS, BROKEN)
    assert shipped == Counter(map(comparable, made))
    assert shipped.total() == DEFAULT_EVENTS


def test_kinds_of_events(events: list[Event]) -> None:
    def kind(event: Event) -> str:
        if event.type in ("page", "screen"):
            return "page"
        if event.name.startswith(("Email", "Popup", "Unsubscribed")):
            return "message"
        return event.name if event.type == "track" else "other"

    expected = {"page": 48.0, "Product Viewed": 37.0, "message": 7.0, "Product Added": 4.0, "Checkout Started": 3.0}
    counts = Counter(map(kind, events))
    shares = {name: 100 * count / len(events) for name, count in counts.items()}
    assert {name: shares[name] for name in expected} == pytest.approx(expected, abs=1.2)
    assert shares["Order Completed"] == pytest.approx(0.6, abs=0.1)
    assert {event.type for event in events} == {"track", "page", "screen", "identify", "group", "alias", "delete"}


def test_visitors_are_many_small_ones_and_one_that_has_half(events: list[Event]) -> None:
    sizes = sorted(map(len, visitors_of(events).values()))
    few = sum(size <= 6 for size in sizes) / len(sizes)
    many = sum(size > 280 for size in sizes) / len(sizes)
    assert few == pytest.approx(0.5, abs=0.08)
    assert many == pytest.approx(0.01, abs=0.006)
    assert sizes[-1] / len(events) == pytest.approx(0.5, abs=0.03)


def test_nine_seconds_between_the_events_of_a_visit(events: list[Event]) -> None:
    gaps = [
        second - first
        for history in visitors_of(events).values()
        for first, second in pairwise(sorted(event.timestamp for event in history if event.type != "alias"))
        if 0 < second - first < VISIT_GAP_US
    ]
    assert statistics.median(gaps) / MICROSECONDS_PER_SECOND == pytest.approx(9, abs=1)


def test_six_weeks_that_end_with_june(events: list[Event]) -> None:
    instants = sorted(event.timestamp for event in events)
    assert math.ceil((instants[-1] - instants[0]) / 86_400 / MICROSECONDS_PER_SECOND) == DEFAULT_DAYS
    assert instant_text(instants[0]).startswith("2026-05-20T")
    assert instant_text(instants[-1]).startswith("2026-06-30T")


def test_two_in_a_thousand_come_twice(parsed: list[tuple[bytes, Event | Failure]]) -> None:
    copies = defaultdict(list)
    for raw, event in parsed:
        if isinstance(event, Event):
            copies[event.message_id].append(raw)
    twice = [raws for raws in copies.values() if len(raws) == 2]
    assert max(map(len, copies.values())) == 2
    duplicates = [raws for raws in twice if len(set(map(canonical_content_hash, raws))) == 1]
    conflicts = [raws for raws in twice if raws not in duplicates]
    assert len(duplicates) / len(parsed) == pytest.approx(0.002, abs=0.0008)
    assert 0 < sum(first == second for first, second in duplicates) < len(duplicates)
    assert conflicts


def test_one_in_a_hundred_is_broken_in_every_way(parsed: list[tuple[bytes, Event | Failure]]) -> None:
    found = Counter(event.reason for _, event in parsed if isinstance(event, Failure))
    assert set(found) == {
        reasons.MALFORMED_JSON,
        reasons.NOT_UTF8,
        reasons.TOO_LARGE,
        reasons.SCHEMA_VIOLATION,
        reasons.MISSING_TIMESTAMP,
        reasons.TIMESTAMP_IN_FUTURE,
        reasons.MISSING_IDENTIFIER,
        reasons.BLOCKED_IDENTIFIER,
        reasons.MALFORMED_AVRO,
    }
    assert found.total() / len(parsed) == pytest.approx(0.01, abs=0.003)


def test_people(events: list[Event]) -> None:
    users_of_device, devices_of_user, by_device = defaultdict(set), defaultdict(set), defaultdict(list)
    for event in sorted(events, key=lambda event: event.timestamp):
        if event.anonymous_id:
            by_device[event.anonymous_id].append(event.user_id)
        if event.user_id and event.anonymous_id and not event.user_id.startswith("old"):
            users_of_device[event.anonymous_id].add(event.user_id)
            devices_of_user[event.user_id].add(event.anonymous_id)
    assert any(len(users) == 2 for users in users_of_device.values()), "shared devices"
    assert any(len(devices) == 2 for devices in devices_of_user.values()), "people with two devices"
    later = [users for users in by_device.values() if users[0] is None and any(users)]
    assert len(later) > 50, "visitors that sign in later"
    assert {f"u_{number:05d}" for number in VIP_NUMBERS} <= set(devices_of_user)


def test_personal_data_is_made_up(events: list[Event]) -> None:
    traits = [orjson.loads(event.traits) for event in events if event.type == "identify" and event.traits]
    addresses = {trait["email"].lower().rpartition("@")[2] for trait in traits if "email" in trait}
    assert addresses == {"example.com", "example.org"}
