"""Single checks: people who cannot be, segments that jumped, silos, names that nobody planned."""

from collections.abc import Iterator

import duckdb
import pytest

from schemas.duckdb import create_all
from schemas.tables import EVENTS, PROFILES
from transforms.audit.check import Check, Window
from transforms.audit.checks import (
    birthday_age,
    bot,
    coordinates,
    country_phone,
    future_dates,
    segment_jump,
    signup_after_order,
    silo,
    unplanned_name,
)
from transforms.audit.checks.segment_jump import CHECK as JUMP

WINDOW = Window(30, 59, frozenset({"Order Completed"}))


@pytest.fixture
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(create_all((PROFILES, EVENTS)))
        yield connection


def add(tables: duckdb.DuckDBPyConnection, who: str, **columns: object) -> None:
    """A profile as of 30 June 2026."""
    lists: dict[str, object] = {column.name: [] for column in PROFILES.columns if column.repeated}
    row = lists | {
        "profile_id": f"user:{who}", "user_id": who, "traits": "{}", "computed": "{}", "event_count": 1, "version": 1,
        "recorded_at": "2026-06-30 12:00:00+00", **columns,
    }  # fmt: skip
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    tables.execute(f"INSERT INTO profiles ({names}) VALUES ({marks})", list(row.values()))  # noqa: S608 - a test's own


PEOPLE = [
    (birthday_age.CHECK, {"birthday": "1980-01-01", "age": 46}, {"birthday": "1980-01-01", "age": 31}),
    (country_phone.CHECK, {"country": "DE", "phone": "+4930123456"}, {"country": "DE", "phone": "+33465711214"}),
    (future_dates.CHECK, {"birthday": "1980-01-01"}, {"birthday": "2031-01-01"}),
    (
        coordinates.CHECK,
        {"country": "DE", "latitude": 52.5, "longitude": 13.4},
        {"country": "DE", "latitude": 13.4, "longitude": 52.5},
    ),
]


@pytest.mark.parametrize(("check", "right", "wrong"), PEOPLE, ids=[check.name for check, _, _ in PEOPLE])
def test_people_who_cannot_be_are_counted(
    check: Check, right: dict[str, object], wrong: dict[str, object], tables: duckdb.DuckDBPyConnection
) -> None:
    add(tables, "nobody")
    for number in range(20):
        add(tables, f"right{number}", **right)
    assert list(check.judge(tables.execute(check.sql).fetchall(), WINDOW)) == []
    for number in range(3):
        add(tables, f"wrong{number}", **wrong)
    found = list(check.judge(tables.execute(check.sql).fetchall(), WINDOW))
    assert [(one.check, one.day, one.value, one.severity) for one in found] == [(check.name, 59, 3.0, "warning")]


def test_who_signed_up_after_the_first_order_is_counted(tables: duckdb.DuckDBPyConnection) -> None:
    for who, signed_up_at in (("late", "2026-06-10 00:00:00+00"), ("early", "2026-05-01 00:00:00+00")):
        add(tables, who, signed_up_at=signed_up_at)
        tables.execute(
            "INSERT INTO events (message_id, profile_id, type, event, timestamp) "
            "VALUES (?, ?, 'track', 'Order Completed', '2026-06-01 00:00:00+00')",
            [who, f"user:{who}"],
        )
    rows = tables.execute(signup_after_order.CHECK.sql).fetchall()
    assert rows == [(1, 2)]
    assert [one.severity for one in signup_after_order.CHECK.judge(rows, WINDOW)] == ["info"]


def test_a_segment_that_jumps_is_told_on_that_day_only() -> None:
    rows = [("regulars", day, 3) for day in range(60)]
    assert list(segment_jump.judge(rows, WINDOW)) == []
    found = list(segment_jump.judge([*rows[:50], ("regulars", 50, 400), *rows[51:]], WINDOW))
    assert [(one.check, one.subject, one.day) for one in found] == [(JUMP.name, "regulars", 50)]
    assert (found[0].value, found[0].expected) == (550.0, 150.0)


def test_a_source_that_nobody_knows_is_a_silo() -> None:
    found = list(silo.judge([("web", 80, 100), ("app", 80, 90), ("crm", 0, 50), ("tiny", 0, 3)], WINDOW))
    assert [one.subject for one in found] == ["crm"]


def test_a_new_name_is_told_once_if_no_schema_has_it() -> None:
    rows = [
        ("web", "Order Complete", 40, 6, 90, 0),
        ("web", "Order Completed", 40, 6, 90, 0),
        ("web", "Popup Seen", 3, 6, 90, 0),
    ]
    found = list(unplanned_name.judge(rows, WINDOW))
    assert [(one.subject, one.day, one.severity) for one in found] == [("web: Order Complete", 40, "info")]


def test_a_busy_kiosk_is_no_bot_and_what_sends_four_times_as_much_is() -> None:
    kiosk = [("web", day, "anon:kiosk", 120, 900, 0) for day in range(60)]
    assert list(bot.judge(kiosk, WINDOW)) == []
    found = list(bot.judge([*kiosk, ("web", 50, "anon:crawler", 800, 1_600, 0)], WINDOW))
    assert [(one.subject, one.day, one.severity) for one in found] == [("web: anon:crawler", 50, "critical")]
