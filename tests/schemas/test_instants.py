from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import (
    EARLIEST_US,
    LATEST_US,
    from_datetime,
    instant_text,
    is_date,
    parse_date,
    parse_date_or_instant_us,
    parse_instant_us,
    to_datetime,
    within_calendar,
)

_FEB_20 = 1_771_545_600_000_000  # 2026-02-20T00:00:00Z
_HOUR_US = 3_600_000_000


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T00:00:00.000001999Z", 1),
        ("1970-01-01T00:00:00.5Z", 500_000),
        ("1970-01-01T00:00:00,5Z", 500_000),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("1970-01-01T05:30:00+05:30", 0),
        ("1970-01-01T00:00:00+0100", -_HOUR_US),
        ("1969-12-31T19:00:00-05", 0),
        ("1970-01-01 00:00:01Z", 1_000_000),
        ("1970-01-01t00:00:01z", 1_000_000),
        ("19700101T000001Z", 1_000_000),
        ("1970-01-01T00:01Z", 60_000_000),
        ("1970-01-01T24:00:00Z", 24 * _HOUR_US),
        ("0001-01-01T00:00:00Z", EARLIEST_US),
        ("9999-12-31T23:59:59.999999Z", LATEST_US),
        ("2026-051T10:00:00Z", _FEB_20 + 10 * _HOUR_US),
        ("2026051T100000Z", _FEB_20 + 10 * _HOUR_US),
        ("2026-W08-5T10:00:00Z", _FEB_20 + 10 * _HOUR_US),
        ("2026W085T100000Z", _FEB_20 + 10 * _HOUR_US),
    ],
)
def test_readable(text: str, microseconds: int) -> None:
    assert parse_instant_us(text) == microseconds
    assert parse_date_or_instant_us(text) == microseconds


_NOWHERE = [
    "", "now", "0", "1970", "1970-13-01T00:00:00Z", "1970-01-01T00:00:60Z", "1970-01-01T24:00:01Z",
    " 1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z ", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00",
    "9999-12-31T24:00:00Z", "1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00\x00Z", "1970-01-01T00:00:00Z\n",
    "2026-03", "2026-03T09:53:59Z", "2026-03 09:53:59Z", "2026-W08", "2026-W08T09:53:59Z", "2026W08T095359Z",
    "2026-02-20T10.5Z", "2026-02-20T10:30.5Z", "2026-02-20_10:00:00Z", "2026-02-20T10:00:00 Z",
    "2026-02-20T10:00:00.Z", "\uff12026-02-20T10:00:00Z", "+2026-02-20T10:00:00Z", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("text", [*_NOWHERE, "1970-01-01", "1970-01-01T00:00:00", "2026-051"])
def test_no_event_time(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_instant_us(text)


@pytest.mark.parametrize("text", _NOWHERE)
def test_no_instant_anywhere(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_date_or_instant_us(text)


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("2026-02-20", _FEB_20),
        ("20260220", _FEB_20),
        ("2026-051", _FEB_20),
        ("2026-W08-5", _FEB_20),
        ("2026-02-20T24:00", _FEB_20 + 24 * _HOUR_US),
        ("2026-02-20 01:00", _FEB_20 + _HOUR_US),
    ],
)
def test_a_day_is_its_midnight_and_no_zone_is_utc(text: str, microseconds: int) -> None:
    assert parse_date_or_instant_us(text) == microseconds


@pytest.mark.parametrize(
    "text", ["2026-02-20", "20260220", "2026-051", "2026-02-20T23:59:59-11:00", "2026-02-20 24:00"]
)
def test_the_day_of_a_text_is_the_one_that_is_written(text: str) -> None:
    assert parse_date(text) == date(2026, 2, 20)
    assert is_date(text) == (len(text) <= 10)


@pytest.mark.parametrize("text", ["2026-02", "2026-02-30", "0000-01-01", "later", ""])
def test_no_day(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_date(text)


@given(
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),
    st.integers(-1439, 1439),
)
def test_exact_to_the_microsecond(local: datetime, offset_minutes: int) -> None:
    instant = local.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    expected = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert parse_instant_us(instant.isoformat()) == expected
    assert from_datetime(instant) == expected
    assert to_datetime(expected) == instant


@given(st.integers(EARLIEST_US, LATEST_US))
def test_what_is_written_is_read_again(instant_us: int) -> None:
    text = instant_text(instant_us)
    assert len(text) == len("2026-02-20T10:00:00.000000Z")
    assert parse_instant_us(text) == instant_us == within_calendar(instant_us)


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    for read in (parse_instant_us, parse_date_or_instant_us, parse_date):
        with contextlib.suppress(ValueError):
            read(text)


@pytest.mark.parametrize(
    ("instant_us", "text"),
    [
        (LATEST_US + 1, "+10000-01-01T00:00:00.000000Z"),
        (EARLIEST_US - 1, "+00000-12-31T23:59:59.999999Z"),
        (10**18, "+33658-09-27T01:46:40.000000Z"),
    ],
)
def test_beyond_the_calendar(instant_us: int, text: str) -> None:
    assert within_calendar(instant_us) is None
    assert instant_text(instant_us) == text


def test_never_is_never() -> None:
    assert within_calendar(None) is None
