"""Dates, money and categories of any usual form."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.pull.categories import read_category
from transforms.pull.dates import iso_text, read_date
from transforms.pull.mapping import as_hash, as_number, as_text
from transforms.pull.money import exponent_of, read_amount, read_currency

NOON = "2026-06-30T12:03:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-30T12:03:00Z",
        "2026-06-30T14:03:00+02:00",
        "2026-06-30 14:03:00 +0200",
        "2026-06-30 12:03:00 UTC",
        "2026-06-30T12:03",
        "20260630T120300Z",
        1_782_820_980,
        1_782_820_980.0,
        "1782820980",
        1_782_820_980_000,
        "1782820980000",
        1_782_820_980_000_000,
        "Tue, 30 Jun 2026 12:03:00 GMT",
        "Tue, 30 Jun 2026 14:03:00 +0200",
        "Tuesday, 30-Jun-26 12:03:00 GMT",
        "30 June 2026 12:03",
        "30 Jun 2026 12:03:00 +0000",
        "June 30, 2026 12:03 PM",
        "Jun 30, 2026 12:03:00 PM UTC",
        "June 30th, 2026 12:03:00",
        "30-Jun-2026 12:03:00",
        "30.06.2026 12:03",
        "06/30/2026 12:03:00",
        "30/06/2026 12:03:00",
        "06/30/2026 12:03 PM",
        "2026/06/30 12:03:00",
        "/Date(1782820980000)/",
        "  2026-06-30T12:03:00Z ",
    ],
)
def test_a_date_of_any_usual_form(text: object) -> None:
    assert iso_text(read_date(text)) == NOON


def test_a_date_without_a_zone_is_in_the_one_given() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert iso_text(read_date("30.06.2026 14:03", berlin)) == NOON
    assert iso_text(read_date("2026-12-30 13:03", berlin)) == "2026-12-30T12:03:00Z", "in winter it is another"
    assert iso_text(read_date("2026-06-30T12:03:00Z", berlin)) == NOON
    assert iso_text(read_date("2026-06-30", berlin)) == "2026-06-29T22:00:00Z"


def test_day_and_month_that_cannot_be_told_apart_are_not_guessed() -> None:
    with pytest.raises(ValueError, match="cannot be told apart"):
        read_date("06/07/2026")
    assert iso_text(read_date("06/07/2026", order="dmy")) == "2026-07-06T00:00:00Z"
    assert iso_text(read_date("06/07/2026", order="mdy")) == "2026-06-07T00:00:00Z"
    assert iso_text(read_date("25/07/2026", order="mdy")) == "2026-07-25T00:00:00Z", "no month is the 25th"


@pytest.mark.parametrize("value", [None, True, "", "soon", "2026-13-01", "31.02.2026", {}, "99/99/2026", 10**19])
def test_what_is_no_date_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_date(value)


INSTANTS = st.datetimes(datetime(1980, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))


@given(INSTANTS)
def test_iso_and_mail_and_epoch_say_the_same(instant: datetime) -> None:
    second = instant.replace(microsecond=0)
    at_us = (second - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert read_date(second.isoformat()) == at_us
    assert read_date(format_datetime(second)) == at_us
    assert read_date(at_us // 1_000_000) == at_us
    assert read_date(iso_text(at_us)) == at_us


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12.5, 12.5),
        (12, 12),
        ("12.50", 12.5),
        ("1,234.56", 1234.56),
        ("1.234,56", 1234.56),
        ("1 234,56 €", 1234.56),
        ("1\u202f234,56\u00a0€", 1234.56),
        ("1'234.50 CHF", 1234.5),
        ("$1,299", 1299),
        ("$1,299.00", 1299),
        ("12,90", 12.9),
        ("1.234.567", 1234567),
        ("-5.00", -5),
        ("(5.00)", -5),
        ("\u22125,00 €", -5),
        ("0.10", 0.1),
        ("EUR 7", 7),
        ({"amount": "12.50", "currency_code": "EUR"}, 12.5),
        ({"value": 3}, 3),
    ],
)
def test_an_amount_of_any_usual_form(value: object, expected: float) -> None:
    assert read_amount(value) == expected
    assert isinstance(read_amount(value), type(expected))


@pytest.mark.parametrize(
    ("minor", "currency", "expected"),
    [(1999, "EUR", 19.99), (500, "JPY", 500), (1234, "KWD", 1.234), (12345, "CLF", 1.2345), ("1999", "usd", 19.99)],
)
def test_smallest_units_are_those_of_the_currency(minor: object, currency: str, expected: float) -> None:
    assert read_amount(minor, minor_of=currency) == expected


def test_what_alone_does_not_tell_can_be_said() -> None:
    assert read_amount("1,234") == 1234
    assert read_amount("1,234", mark=",") == 1.234
    assert read_amount("1.234", mark=",") == 1234
    assert read_amount(100, minor_of="ISK", exponent=2) == 1, "Stripe counts it in hundredths all the same"


@pytest.mark.parametrize("value", [None, "", "free", True, {}, [], float("nan"), float("inf")])
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="no amount"):
        read_amount(value)


@given(st.integers(-(10**12), 10**12), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_smallest_units_lose_nothing(minor: int, currency: str) -> None:
    amount = read_amount(minor, minor_of=currency)
    assert round(amount * 10 ** exponent_of(currency)) == minor


@pytest.mark.parametrize(
    ("value", "expected"),
    [("eur", "EUR"), ("€", "EUR"), ("12,50 €", "EUR"), ("USD 3", "USD"), ("£3", "GBP"), ({"currency": "CHF"}, "CHF")],
)
def test_a_currency_of_any_usual_form(value: object, expected: str) -> None:
    assert read_currency(value) == expected


@pytest.mark.parametrize("value", [None, 3, "", "12.50", {}])
def test_what_is_no_currency_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="no currency"):
        read_currency(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Shoes > Running", ["Shoes", "Running"]),
        ("Shoes&nbsp;&gt; Running ", ["Shoes", "Running"]),
        ("Shoes / Running", ["Shoes", "Running"]),
        ("Shoes/Running", ["Shoes", "Running"]),
        ("Shoes \u203a Running \u00bb Trail", ["Shoes", "Running", "Trail"]),
        ("Shoes|Running", ["Shoes", "Running"]),
        ("Shoes", ["Shoes"]),
        (["Shoes", "Running"], ["Shoes", "Running"]),
        ([{"id": 3, "name": "Shoes &amp; Boots"}], ["Shoes & Boots"]),
    ],
)
def test_a_category_of_any_usual_form(value: object, expected: list[str]) -> None:
    assert read_category(value) == expected


def test_a_separator_of_ones_own() -> None:
    assert read_category("Men/Women :: Shoes", "::") == ["Men/Women", "Shoes"]


@pytest.mark.parametrize("value", [None, "", " > ", [], 3])
def test_what_is_no_category_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="no category"):
        read_category(value)


def test_texts_numbers_and_hashes() -> None:
    assert [as_text(17.0), as_text(17), as_text("17"), as_text(False)] == ["17", "17", "17", "false"]
    assert [as_number("17"), as_number("1.5"), as_number(2.0)] == [17, 1.5, 2]
    assert as_hash(" Me@Example.com") == as_hash("me@example.com") != as_hash("you@example.com")
    for value in ("nan", "many", True, None, []):
        with pytest.raises(ValueError, match=r"."):
            as_number(value)
