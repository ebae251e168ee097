"""The typed columns of a profile: which traits each reads, and how a value becomes the column's.

To add a spelling, add it to a row. To add a column, add a row here, a column to `PROFILES` in schemas/tables.py and a
row to docs/profiles.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from transforms.profiles.normalize.contact import normalise_email, normalise_phone
from transforms.profiles.normalize.country import normalise_country
from transforms.profiles.normalize.dates import normalise_age, normalise_birthday, normalise_instant
from transforms.profiles.normalize.enums import normalise_enum, normalise_income_bracket
from transforms.profiles.normalize.place import (
    normalise_language,
    normalise_latitude,
    normalise_longitude,
    normalise_timezone,
)
from transforms.profiles.normalize.text import name_text, normalise_tags, plain_text

ColumnValue = str | int | float | list[str] | None


@dataclass(frozen=True, slots=True)
class TraitColumn:
    """One column.

    `spellings` are the traits that it reads: the one that was written last decides, of those that one event writes the
    first with a usable value; a dot goes into an object. Case, `_`, `-`, `$` and spaces make no difference. `normalise`
    takes any JSON value, and gives None if it cannot use it. `repeated`: an array, empty where others are null.
    """

    name: str
    spellings: tuple[str, ...]
    normalise: Callable[[Any], ColumnValue]
    repeated: bool = False

    @property
    def empty(self) -> ColumnValue:
        return [] if self.repeated else None


COUNTRY: Final = "country"
PHONE: Final = "phone"
TAGS: Final = "tags"
DEVICE_TYPE: Final = "device_type"


def _phone_without_country(value: Any) -> str | None:
    return normalise_phone(value, None)


# `country` stands before `phone`, which is read as dialled inside it.
TRAIT_COLUMNS: Final = (
    TraitColumn("email", ("email", "email_address", "e_mail"), normalise_email),
    TraitColumn(COUNTRY, ("country", "country_code", "address.country", "address.country_code"), normalise_country),
    TraitColumn(
        PHONE,
        ("phone", "phone_number", "mobile", "mobile_phone", "mobile_number", "telephone", "cell_phone"),
        _phone_without_country,
    ),
    TraitColumn("first_name", ("first_name", "given_name", "fname"), name_text),
    TraitColumn("last_name", ("last_name", "family_name", "surname", "lname"), name_text),
    TraitColumn("birthday", ("birthday", "birth_date", "date_of_birth", "dob"), normalise_birthday),
    TraitColumn("age", ("age",), normalise_age),
    TraitColumn("gender", ("gender", "sex"), normalise_enum("gender")),
    TraitColumn("income_bracket", ("income_bracket", "income_range", "income"), normalise_income_bracket),
    TraitColumn("city", ("city", "town", "address.city", "address.town"), plain_text),
    TraitColumn(
        "region",
        ("region", "state", "province", "address.region", "address.state", "address.province"),
        plain_text,
    ),
    TraitColumn(
        "postal_code",
        (
            "postal_code",
            "zip",
            "zip_code",
            "postcode",
            "address.postal_code",
            "address.zip",
            "address.zip_code",
            "address.postcode",
        ),
        plain_text,
    ),
    TraitColumn(
        "latitude",
        ("latitude", "lat", "address.latitude", "address.lat", "location.latitude", "location.lat"),
        normalise_latitude,
    ),
    TraitColumn(
        "longitude",
        (
            "longitude",
            "lng",
            "lon",
            "address.longitude",
            "address.lng",
            "address.lon",
            "location.longitude",
            "location.lng",
            "location.lon",
        ),
        normalise_longitude,
    ),
    TraitColumn("language", ("language", "preferred_language", "locale", "lang"), normalise_language),
    TraitColumn("timezone", ("timezone", "time_zone", "tz"), normalise_timezone),
    TraitColumn(
        "signed_up_at",
        ("signed_up_at", "signup_date", "sign_up_date", "created_at", "created", "registered_at"),
        normalise_instant,
    ),
    TraitColumn(
        "loyalty_status", ("loyalty_status", "loyalty_tier", "loyalty_level"), normalise_enum("loyalty_status")
    ),
    TraitColumn(
        "subscription_tier",
        ("subscription_tier", "subscription_plan", "subscription.tier", "subscription.plan", "plan"),
        normalise_enum("subscription_tier"),
    ),
    TraitColumn(TAGS, (TAGS,), normalise_tags, repeated=True),
    TraitColumn(DEVICE_TYPE, (DEVICE_TYPE,), normalise_enum(DEVICE_TYPE)),
)
