"""A profile as the model sees it: canonical forms, None where nothing is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from transforms.duplicates.canonical import (
    canonical_code,
    canonical_email,
    canonical_street,
    canonical_words,
    names_behind,
)

STREET_TRAITS: Final = ("street", "streetaddress", "addressline1", "address1", "line1", "streetname")
"""Where a street stands, among the traits or inside `address`. In small letters, without anything between them."""

BIRTHDAY_TRAITS: Final = ("birthday", "birthdate", "dateofbirth", "dob")
NUMBER_TRAITS: Final = ("streetnumber", "housenumber", "number")


class Person(NamedTuple):
    """One profile. `birthday`: eight digits."""

    person_id: str
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    first_names: tuple[str, ...] = ()
    last_name: str | None = None
    birthday: str | None = None
    house_number: str | None = None
    street: str | None = None
    postal_code: str | None = None
    city: str | None = None


def person(person_id: str, fields: Mapping[str, Any]) -> Person:
    """From the columns of `profiles` and `street`."""
    first, last = canonical_words(fields.get("first_name")), canonical_words(fields.get("last_name"))
    number, street = canonical_street(fields.get("street"))
    birthday = re.sub(r"\D", "", str(fields.get("birthday") or ""))
    return Person(
        person_id,
        canonical_email(fields.get("email")),
        fields.get("phone") or None,
        first,
        names_behind(first),
        last,
        birthday if len(birthday) == 8 else None,
        number,
        street,
        canonical_code(fields.get("postal_code")),
        canonical_words(fields.get("city")),
    )


def birthday_of(traits: Mapping[str, Any]) -> str | None:
    """The digits of a birthday that is no date, as 1984-03-71: misspelt, it still says something."""
    plain = {re.sub(r"[\W_]", "", name.lower()): value for name, value in traits.items()}
    return next((str(plain[name]) for name in BIRTHDAY_TRAITS if isinstance(plain.get(name), str | int)), None)


def street_of(traits: Mapping[str, Any]) -> str | None:
    """The street among a profile's traits, with the house number, however the traits are spelled."""
    address = traits.get("address")
    if isinstance(address, str) and address.strip():
        return address.partition(",")[0]
    for place in (address if isinstance(address, dict) else {}, traits):
        plain = {re.sub(r"[\W_]", "", name.lower()): value for name, value in place.items()}
        street = next((str(plain[name]) for name in STREET_TRAITS if plain.get(name)), None)
        number = next((str(plain[name]) for name in NUMBER_TRAITS if plain.get(name)), None)
        if street or number:
            return " ".join(part for part in (number, street) if part)
    return None
