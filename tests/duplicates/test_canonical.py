"""Canonical forms of what people write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.duplicates.canonical import (
    canonical_code,
    canonical_email,
    canonical_street,
    canonical_words,
    names_behind,
)
from transforms.duplicates.person import street_of


@pytest.mark.parametrize(
    ("email", "mailbox"),
    [
        ("Jane.Doe+shop@GoogleMail.com", "janedoe@gmail.com"),
        ("jane.doe+shop@outlook.com", "jane.doe@outlook.com"),
        ("jane-shop@yahoo.co.uk", "jane@yahoo.co.uk"),
        ("jane.doe+shop@example.com", "jane.doe+shop@example.com"),
        ("info@example.com", None),
        ("no-reply@example.com", None),
        ("", None),
        (None, None),
    ],
)
def test_emails(email: str | None, mailbox: str | None) -> None:
    assert canonical_email(email) == mailbox


@pytest.mark.parametrize(
    ("text", "number", "street"),
    [
        ("12 Example St.", "12", "example street"),
        ("Beispielstr. 7b", "7b", "beispielstrasse"),
        ("Beispielstraße 7b", "7b", "beispielstrasse"),
        ("The Old Mill", None, "the old mill"),
        ("", None, None),
    ],
)
def test_streets(text: str, number: str | None, street: str | None) -> None:
    assert canonical_street(text) == (number, street)


@pytest.mark.parametrize(
    "traits",
    [
        {"address": {"street": "7 Rose Lane"}},
        {"address": {"streetNumber": 7, "Street_Name": "Rose Lane"}},
        {"address1": "7 Rose Lane"},
        {"address": "7 Rose Lane, 4350 Camden"},
    ],
)
def test_a_street_is_found_where_it_is_usually_put(traits: dict[str, object]) -> None:
    assert canonical_street(street_of(traits)) == ("7", "rose lane")


def test_names() -> None:
    assert canonical_words("Dr. Zoë  O'Brien-Łuka") == canonical_words("zoe obrien luka")
    assert set(names_behind("bob")) & set(names_behind("robert"))
    assert not set(names_behind("anna")) & set(names_behind("robert"))
    assert canonical_code("SW1A 1AA") == "sw1a1aa"


@given(st.text(max_size=20))
def test_canonical_words_are_canonical(text: str) -> None:
    once = canonical_words(text)
    assert canonical_words(once) == once
