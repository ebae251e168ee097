"""Shops whose data go wrong in a known way on a known day: what the audit is measured on, and tested with.

Nine weeks of a web shop, an app and a CRM: a weekly season, growth of two per cent a week, a holiday on which half
of the visitors stay at home. Then, on FAULT_DAY, one fault, until the end. Written as a job's tables, without
running the job.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from math import exp
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import orjson
import pyarrow as pa

from schemas.arrow import arrow_schema, to_record_batch
from schemas.block import TableBlock
from schemas.duckdb import create_all
from schemas.tables import EVENTS, FAILED_EVENTS, PROFILES, TABLES, Table

FIRST_DAY = 20_600
DAYS = 63
HOLIDAY = FIRST_DAY + 52
FAULT_DAY = FIRST_DAY + 58
DAY_MS = 86_400_000
HOUR_MS = 3_600_000

WEEK = (1.0, 0.95, 0.9, 0.95, 1.05, 1.3, 1.25)
EVENTS_OF_A_VISIT = ("Product Viewed", "Product Viewed", "Product Added", "Checkout Started", "Order Completed")
LIBRARIES = {"web": "analytics.js", "app": "analytics-ios", "crm": "crm-sync"}

Event = dict[str, Any]
Fault = Callable[[Event, random.Random], Iterator[Event]]


def shop(seed: int, visits: int = 120) -> list[Event]:
    """The events of a shop without a fault, about eight times as many a day as `visits`."""
    rng = random.Random(seed)
    events: list[Event] = []
    for day in range(FIRST_DAY, FIRST_DAY + DAYS):
        factor = WEEK[day % 7] * exp(0.02 / 7 * (day - FIRST_DAY)) * (0.55 if day == HOLIDAY else 1.0)
        for source, share in (("web", 0.6), ("app", 0.4)):
            for _ in range(_around(rng, visits * share * factor)):
                events.extend(_visit(rng, source, day))
        events.extend(_crm(rng, day) for _ in range(_around(rng, visits * 0.5 * factor)))
    return events


def _around(rng: random.Random, mean: float) -> int:
    return max(0, round(rng.gauss(mean, mean**0.5)))


def _visit(rng: random.Random, source: str, day: int) -> Iterator[Event]:
    number = int(rng.random() ** 2 * 600)
    hour = rng.choices(range(24), [1, 1, 1, 1, 1, 2, 3, 5, 6, 7, 8, 9, 9, 8, 7, 7, 8, 10, 13, 16, 17, 14, 8, 3])[0]
    at = day * DAY_MS + hour * HOUR_MS + rng.randrange(HOUR_MS)
    known = rng.random() < 0.6
    who = {"anonymous_id": f"d{number}", "user_id": f"u{number}" if known else None, "profile_id": f"user:u{number}"}
    if known and rng.random() < 0.4:
        yield _event(rng, source, at, who, "identify", None, traits=_traits(rng, number))
    for place in range(rng.randrange(2, 9)):
        at += rng.randrange(4_000, 90_000)
        if place == 0 or rng.random() < 0.35:
            yield _event(rng, source, at, who, "page" if source == "web" else "screen", "Home", {"path": "/"})
        else:
            name = EVENTS_OF_A_VISIT[min(int(rng.random() * 3.2 + place / 5), 4)]
            yield _event(rng, source, at, who, "track", name, _properties(rng, name))


def _crm(rng: random.Random, day: int) -> Event:
    number = int(rng.random() ** 2 * 600)
    at = day * DAY_MS + rng.randrange(8, 20) * HOUR_MS + rng.randrange(HOUR_MS)
    who = {"anonymous_id": None, "user_id": f"u{number}", "profile_id": f"user:u{number}"}
    return _event(rng, "crm", at, who, "identify", None, traits=_traits(rng, number))


def _traits(rng: random.Random, number: int) -> dict[str, Any]:
    made = {"email": f"u{number}@example.com", "country": "DE", "loyalty_status": "gold"}
    return made if rng.random() < 0.9 else {"email": made["email"], "country": "DE"}


def _properties(rng: random.Random, name: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "product_id": f"p{rng.randrange(50)}",
        "price": round(rng.uniform(5, 200), 2),
        "currency": "EUR",
    }
    if rng.random() < 0.3:
        made["coupon"] = "TEN"
    if name == "Order Completed":
        made |= {"order_id": f"o{rng.randrange(10**9)}", "revenue": made["price"]}
    return made


def _event(
    rng: random.Random, source: str, at: int, who: dict[str, Any], kind: str, name: str | None,
    properties: dict[str, Any] | None = None, traits: dict[str, Any] | None = None,
) -> Event:  # fmt: skip
    late = rng.random() < 0.02
    context = {"library": {"name": LIBRARIES[source]}, "locale": "de-DE"}
    return {
        "message_id": f"m{rng.getrandbits(64):016x}", **who, "type": kind, "event": name, "at": at, "source": source,
        "received": at + (rng.randrange(2 * HOUR_MS, 20 * HOUR_MS) if late else rng.randrange(200, 1_500)),
        "properties": properties, "traits": traits, "context": context,
    }  # fmt: skip


class Known(NamedTuple):
    """A fault: what it does to each event from its day on, and the alarms that are about it."""

    name: str
    source: str
    checks: frozenset[str]
    change: Fault


def _drop_property(event: Event, _: random.Random) -> Iterator[Event]:
    if event["source"] == "web" and event["event"] in ("Product Viewed", "Product Added"):
        event = event | {"properties": {k: v for k, v in event["properties"].items() if k != "price"}}
    yield event


def _double(event: Event, rng: random.Random) -> Iterator[Event]:
    yield event
    if event["source"] == "app":
        yield event | {"message_id": f"m{rng.getrandbits(64):016x}"}


def _time_zone(event: Event, _: random.Random) -> Iterator[Event]:
    yield event | {"at": event["at"] + 5 * HOUR_MS} if event["source"] == "web" else event


def _time_zone_unseen(event: Event, _: random.Random) -> Iterator[Event]:
    if event["source"] == "web":
        event = event | {"at": event["at"] - 7 * HOUR_MS, "received": event["received"] - 7 * HOUR_MS}
    yield event


def _null_country(event: Event, _: random.Random) -> Iterator[Event]:
    if event["source"] == "crm":
        event = event | {"traits": event["traits"] | {"country": None}}
    yield event


def _silent(event: Event, _: random.Random) -> Iterator[Event]:
    if event["source"] != "crm":
        yield event


def _other_ids(event: Event, _: random.Random) -> Iterator[Event]:
    if event["source"] == "crm":
        event = event | {"user_id": "C-" + event["user_id"], "profile_id": "user:C-" + event["user_id"]}
    yield event


def _bot(event: Event, rng: random.Random) -> Iterator[Event]:
    yield event
    if event["source"] == "web" and event["at"] // DAY_MS == FAULT_DAY:
        for _ in range(6):
            who = {"anonymous_id": "crawler", "user_id": None, "profile_id": "anon:crawler"}
            made = _event(rng, "web", event["at"] + rng.randrange(90_000), who, "page", "Home", {"path": "/"})
            yield made | {"properties": {"path": f"/p/{rng.randrange(10**6)}"}}


def _failing(event: Event, rng: random.Random) -> Iterator[Event]:
    yield event | {"fails": event["source"] == "web" and rng.random() < 0.2}


def _text_price(event: Event, _: random.Random) -> Iterator[Event]:
    if event["source"] == "web" and event["properties"] and "price" in event["properties"]:
        event = event | {"properties": event["properties"] | {"price": str(event["properties"]["price"])}}
    yield event


def _late(event: Event, _: random.Random) -> Iterator[Event]:
    yield event | {"received": event["received"] + int(6.6 * HOUR_MS)} if event["source"] == "app" else event


def _event_gone(event: Event, _: random.Random) -> Iterator[Event]:
    if not (event["source"] == "web" and event["event"] == "Product Added"):
        yield event


def _halved(event: Event, rng: random.Random) -> Iterator[Event]:
    if event["source"] != "web" or rng.random() < 0.3:
        yield event


def _no_user_id(event: Event, _: random.Random) -> Iterator[Event]:
    if event["source"] == "app":
        event = event | {"user_id": None, "profile_id": f"anon:{event['anonymous_id']}"}
    yield event


def _known(name: str, source: str, checks: str, change: Fault) -> Known:
    return Known(name, source, frozenset(checks.split()), change)


FAULTS = (
    _known("a release drops a property", "web", "null_property", _drop_property),
    _known("a doubled source", "app", "duplicate_share", _double),
    _known("a time zone shift", "web", "clock_shift", _time_zone),
    _known("a time zone shift, receipt too", "web", "clock_shift", _time_zone_unseen),
    _known("a country that turns null", "crm", "null_trait", _null_country),
    _known("a silent source", "crm", "silent_source", _silent),
    _known("ids that stop matching", "crm", "unmatched_ids new_ids", _other_ids),
    _known("a bot", "web", "bot", _bot),
    _known("a fifth of the events fails", "web", "failed_share", _failing),
    _known("a number that becomes a text", "web", "value_type", _text_price),
    _known("an app that sends hours later", "app", "late_share clock_shift", _late),
    _known("an event that is no longer sent", "web", "event_volume", _event_gone),
    _known("two thirds of a source lost", "web", "volume", _halved),
    _known("a user id that is no longer sent", "app", "null_identifier", _no_user_id),
)


def with_fault(events: list[Event], fault: Known | None, seed: int) -> list[Event]:
    """The events with a fault from FAULT_DAY on."""
    if fault is None:
        return events
    rng = random.Random(seed)
    made: list[Event] = []
    for event in events:
        made.extend(fault.change(event, rng) if event["at"] // DAY_MS >= FAULT_DAY else (event,))
    return made


def write_shop(events: list[Event], path: Path) -> None:
    """A DuckDB file with a job's tables, as of the end of the last day."""
    end = (FIRST_DAY + DAYS) * DAY_MS * 1000 - 1
    good = [event for event in events if not event.get("fails")]
    with duckdb.connect(str(path)) as connection:
        connection.execute(create_all(TABLES))
        _fill(connection, EVENTS, [_event_row(event) for event in good])
        _fill(connection, FAILED_EVENTS, [_failed_row(event) for event in events if event.get("fails")])
        _fill(connection, PROFILES, [_profile_row(one, end) for one in sorted({e["profile_id"] for e in good})])


def _fill(connection: duckdb.DuckDBPyConnection, table: Table, rows: list[dict[str, Any]]) -> None:
    names = table.column_names()
    empty = {column.name: [] if column.repeated else None for column in table.columns}
    if not rows:
        return
    columns = tuple([row.get(name, empty[name]) for row in rows] for name in names)
    batch = to_record_batch(table, TableBlock(table.name, 0, columns))
    given = pa.Table.from_batches([batch], arrow_schema(table))
    connection.register("given", given)
    connection.execute(f'INSERT INTO "{table.name}" BY NAME SELECT * FROM given')  # noqa: S608
    connection.unregister("given")


def _event_row(event: Event) -> dict[str, Any]:
    plain = {name: event[name] for name in ("message_id", "profile_id", "user_id", "anonymous_id", "type", "event")}
    objects = {
        name: None if event[name] is None else orjson.dumps(event[name]).decode()
        for name in ("properties", "traits", "context")
    }
    return plain | objects | {"timestamp": event["at"] * 1000, "received_at": event["received"] * 1000}


def _failed_row(event: Event) -> dict[str, Any]:
    return {
        "failure_id": event["message_id"], "reason": "schema_violation", "stage": "validate", "raw": b"{}",
        "attributes": "{}", "source": "shop", "received_at": event["received"] * 1000, "pipeline_version": "0",
    }  # fmt: skip


def _profile_row(profile_id: str, end: int) -> dict[str, Any]:
    kind, _, identifier = profile_id.partition(":")
    return {
        "profile_id": profile_id, "user_id": identifier if kind == "user" else None, "traits": "{}", "computed": "{}",
        "event_count": 1, "version": 1, "recorded_at": end,
    }  # fmt: skip


def day_name(day: int) -> str:
    """A day as the audit writes it."""
    return datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
