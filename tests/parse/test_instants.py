from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.parse.instants import EARLIEST_US, LATEST_US, instant_us


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T00:00:00.000001999Z", 1),
        ("1970-01-01T00:00:00.5Z", 500_000),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("1970-01-01T05:30:00+05:30", 0),
        ("1970-01-01T00:00:00+0100", -3_600_000_000),
        ("1969-12-31T19:00:00-05", 0),
        ("1970-01-01 00:00:01Z", 1_000_000),
        ("19700101T000001Z", 1_000_000),
        ("1970-01-01T00:01Z", 60_000_000),
        ("1970-01-01T24:00:00Z", 86_400_000_000),
        ("0001-01-01T00:00:00Z", EARLIEST_US),
        ("9999-12-31T23:59:59.999999Z", LATEST_US),
    ],
)
def test_readable(text: str, microseconds: int) -> None:
    assert instant_us(text) == microseconds


@pytest.mark.parametrize(
    "text",
    ["", "now", "0", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z", "1970-01-01T00:00:60Z",
     " 1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z ", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00",
     "1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00\x00Z"],
)  # fmt: skip
def test_unreadable(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        instant_us(text)


@given(
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),
    st.integers(-1439, 1439),
)
def test_exact_to_the_microsecond(local: datetime, offset_minutes: int) -> None:
    instant = local.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    assert instant_us(instant.isoformat()) == (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
