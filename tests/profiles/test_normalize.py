"""Typed columns from traits: the usual spellings, the libraries' verdicts, and no value that makes it raise."""

from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.tables import PROFILES
from transforms.profiles.normalize.columns import TRAIT_COLUMNS
from transforms.profiles.normalize.enums import ENUMS
from transforms.profiles.normalize.traits import normalize_traits

COLUMNS = {column.name for column in TRAIT_COLUMNS}


def normalized(traits: dict[str, Any], device: str | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Traits that one event wrote."""
    return normalize_traits({name: (value, 0, "m1") for name, value in traits.items()}, device)


def column(name: str, **traits: Any) -> Any:
    columns, failed = normalized(traits, None)
    assert name not in failed
    return columns[name]


def refused(name: str, **traits: Any) -> bool:
    columns, failed = normalized(traits, None)
    assert failed in ((), (name,))
    return columns[name] is None and failed == (name,)


def test_a_usual_identify() -> None:
    traits = {
        "firstName": " Ada ",
        "lastName": "Lovelace",
        "email": "Ada@Example.COM",
        "phone": "(202) 555-0143",
        "birthday": "1990-12-10",
        "age": 35,
        "gender": "F",
        "createdAt": "2026-05-01T10:00:00+02:00",
        "address": {"city": "Springfield", "state": "IL", "postalCode": 62701, "country": "United States"},
        "plan": "Premium plan",
        "shoe_size": 38,
    }
    columns, failed = normalized(traits, "iPhone")
    assert failed == ()
    assert {name: value for name, value in columns.items() if value not in (None, [])} == {
        "email": "ada@example.com",
        "country": "US",
        "phone": "+12025550143",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "birthday": "1990-12-10",
        "age": 35,
        "gender": "female",
        "city": "Springfield",
        "region": "IL",
        "postal_code": "62701",
        "signed_up_at": 1_777_622_400_000_000,
        "subscription_tier": "premium",
        "device_type": "ios",
    }


def test_every_typed_column_is_a_column_of_the_profiles_table() -> None:
    columns, failed = normalized({}, None)
    assert failed == ()
    assert set(columns) == COLUMNS <= set(PROFILES.column_names())
    assert {name: value for name, value in columns.items() if value is not None} == {"tags": []}


@pytest.mark.parametrize("name", ["first_name", "firstName", "firstname", "FIRST_NAME", "First Name", "$first_name"])
def test_case_and_separators_of_a_name_make_no_difference(name: str) -> None:
    assert column("first_name", **{name: "Ada"}) == "Ada"


@pytest.mark.parametrize(
    ("traits", "city"),
    [
        ({"city": "Lyon"}, "Lyon"),
        ({"address": {"city": "Lyon"}}, "Lyon"),
        ({"address.city": "Lyon"}, "Lyon"),
        ({"city": "Lyon", "address": {"city": "Nice"}}, "Lyon"),
        ({"city": "", "address": {"city": "Nice"}}, "Nice"),
        ({"city": {"name": "Lyon"}, "address": {"city": "Nice"}}, "Nice"),
        ({"city": None, "address": "1 Main Street"}, None),
        ({"city": "  Saint\t Denis "}, "Saint Denis"),
        ({"city": "Beirut\u0301"}, "Beirut\u0301"),
    ],
)
def test_the_first_spelling_with_a_usable_value_wins(traits: dict[str, Any], city: str | None) -> None:
    assert column("city", **traits) == city
    assert column("city", **dict(reversed(traits.items()))) == city


def test_a_column_fails_once_and_only_if_nothing_sent_for_it_is_usable() -> None:
    traits = {
        "email": "nobody",
        "email_address": "x@",
        "phone": "12",
        "age": "old",
        "dob": "1990-01-01",
        "city": "Rome",
    }
    columns, failed = normalized(traits, "toaster")
    assert failed == ("email", "phone", "age", "device_type")
    assert columns["birthday"] == "1990-01-01"


def test_null_and_blank_text_say_nothing_and_are_no_failure() -> None:
    assert normalized({"email": "", "phone": None, "age": "  ", "birthday": "\n"}, " ")[1] == ()


@pytest.mark.parametrize("address", ["x@y@example.com", "ada@", "ada@localhost", "ada lovelace", 5, True, ["a@b.org"]])
def test_what_is_no_email_address(address: Any) -> None:
    assert refused("email", email=address)


@pytest.mark.parametrize(
    ("traits", "phone"),
    [
        ({"phone": "+1 202-555-0143"}, "+12025550143"),
        ({"phone": "001 202 555 0143"}, "+12025550143"),
        ({"phone": "(+44) 20 7946 0958"}, "+442079460958"),
        ({"phone": "020 7946 0958", "country": "UK"}, "+442079460958"),
        ({"mobile": "030 23125 123", "address": {"country": "DEU"}}, "+493023125123"),
        ({"phone": 2025550143, "country": "US"}, "+12025550143"),
        ({"phone": "12025550143"}, "+12025550143"),
        ({"phone": "442079460958", "country": "US"}, "+442079460958"),
    ],
)
def test_phone_numbers_become_e164(traits: dict[str, Any], phone: str) -> None:
    assert column("phone", **traits) == phone


@pytest.mark.parametrize("number", ["2025550143", "+1 555 0143", "call me", "+999 123456789", True, 10**30, 0.5])
def test_what_is_no_phone_number_without_a_country(number: Any) -> None:
    assert refused("phone", phone=number)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("us", "US"),
        ("USA", "US"),
        ("U.S.A.", "US"),
        ("United States of America", "US"),
        ("germany", "DE"),
        ("UK", "GB"),
        ("cote d'ivoire", "CI"),
        ("Côte d\u2019Ivoire", "CI"),
        ("South Korea", "KR"),
        ("Türkiye", "TR"),
        ("Turkey", "TR"),
        ("Viet Nam", "VN"),
        ("Vietnam", "VN"),
        ("Czechia", "CZ"),
        ("Russia", "RU"),
        ("Taiwan", "TW"),
        ("The Netherlands", "NL"),
        ("UAE", "AE"),
        ("DR Congo", "CD"),
        ("Congo, The Democratic Republic of the", "CD"),
        ("Republic of the Congo", "CG"),
        ("Republic of Ireland", "IE"),
        ("Republic of Korea", "KR"),
        ("Republic of China", "TW"),
        ("Bosnia & Herzegovina", "BA"),
        ("St. Lucia", "LC"),
        ("St Vincent & the Grenadines", "VC"),
        ("Brunei", "BN"),
        ("United States of America (USA)", "US"),
        ("276", "DE"),
        (276, "DE"),
        ("070", "BA"),
        ("The Gambia", "GM"),
    ],
)
def test_countries(value: str, code: str) -> None:
    assert column("country", country=value) == code


@pytest.mark.parametrize("value", ["Atlantis", "ZZ", "999", 1, {"code": "US"}, "Korea", "Virgin Islands", "the"])
def test_no_countries(value: Any) -> None:
    assert refused("country", country=value)


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ("en", "en"),
        ("EN_us", "en-US"),
        ("en-UK", "en-GB"),
        ("eng", "en"),
        ("German", "de"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("en_US.UTF-8", "en-US"),
        ("fr-CH, fr;q=0.9", "fr-CH"),
        ("ca-es-VALENCIA", "ca-ES-valencia"),
        ("gsw", "gsw"),
        ("de-u-co-phonebk", "de-u-co-phonebk"),
    ],
)
def test_languages(value: str, tag: str) -> None:
    assert column("language", language=value) == tag


@pytest.mark.parametrize("value", ["qq", "en-QX", "e", "english please", 7])
def test_no_languages(value: Any) -> None:
    assert refused("language", language=value)


def test_time_zones() -> None:
    assert column("timezone", timezone="europe/paris") == "Europe/Paris"
    assert column("timezone", timeZone="America/New York") == "America/New_York"
    assert refused("timezone", timezone="Mars/Olympus")


def test_coordinates() -> None:
    columns, failed = normalized({"latitude": "48.85", "lng": -180, "address": {"lat": 1}}, None)
    assert (columns["latitude"], columns["longitude"], failed) == (48.85, -180.0, ())
    assert str(column("latitude", lat=-0.0)) == "0.0"
    assert refused("latitude", latitude=90.0001)
    assert refused("longitude", longitude=10**400)
    assert refused("longitude", longitude=True)


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("1990-05-17", "1990-05-17"),
        ("1990-05-17T22:00:00Z", "1990-05-17"),
        ("19900517", "1990-05-17"),
        ("1990/05/17", "1990-05-17"),
        (19900517, "1990-05-17"),
        ("2000-02-29", "2000-02-29"),
    ],
)
def test_birthdays(value: Any, day: str) -> None:
    assert column("birthday", birthday=value) == day


@pytest.mark.parametrize(
    "value", ["05/17/1990", "1990-5-17", "1990-02-30", "1899-12-31", "2100-01-01", 643075200, True]
)
def test_no_birthdays(value: Any) -> None:
    assert refused("birthday", birthday=value)


@pytest.mark.parametrize(("value", "age"), [(0, 0), (150, 150), ("34", 34), (34.0, 34)])
def test_ages(value: Any, age: int) -> None:
    assert column("age", age=value) == age


@pytest.mark.parametrize("value", [-1, 151, 34.5, "thirty", True, 10**400])
def test_no_ages(value: Any) -> None:
    assert refused("age", age=value)


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2026-05-01", 1_777_593_600_000_000),
        ("2026-05-01T00:00:00.0000019Z", 1_777_593_600_000_001),
        ("2026-05-01 02:00:00+02:00", 1_777_593_600_000_000),
        ("2026-05-01T00:00:00", 1_777_593_600_000_000),
        (1_777_593_600, 1_777_593_600_000_000),
        (1_777_593_600_123, 1_777_593_600_123_000),
        ("1777593600", 1_777_593_600_000_000),
        (1_777_593_600_123_456, 1_777_593_600_123_456),
    ],
)
def test_instants_of_signing_up(value: Any, instant: int) -> None:
    assert column("signed_up_at", createdAt=value) == instant


@pytest.mark.parametrize("value", ["yesterday", 5, "0001-01-01T00:00:00Z", "2100-01-01", 1e300, -(10**12), True, []])
def test_no_instants_of_signing_up(value: Any) -> None:
    assert refused("signed_up_at", signed_up_at=value)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in ENUMS.items() for value in values])
def test_every_enum_value_stands_for_itself(name: str, value: str) -> None:
    assert column(name, **{name: value}) == value


@pytest.mark.parametrize("name", ENUMS)
def test_no_synonym_has_two_meanings(name: str) -> None:
    words = [word for value, synonyms in ENUMS[name].items() for word in (value.replace("_", ""), *synonyms)]
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    ("traits", "name", "value"),
    [
        ({"gender": "Prefer not to say"}, "gender", "undisclosed"),
        ({"sex": "M"}, "gender", "male"),
        ({"loyaltyStatus": "Gold member"}, "loyalty_status", "gold"),
        ({"loyaltyStatus": "Member"}, "loyalty_status", "member"),
        ({"loyalty_tier": True}, "loyalty_status", "member"),
        ({"subscription": {"tier": "PRO"}}, "subscription_tier", "pro"),
        ({"device_type": "Smart TV"}, "device_type", "tv"),
        ({"income": 64000}, "income_bracket", "50k_75k"),
        ({"income": 150_000.0}, "income_bracket", "150k_and_over"),
        ({"income_bracket": "$50k - $75k"}, "income_bracket", "50k_75k"),
        ({"income_bracket": "50-75K"}, "income_bracket", "50k_75k"),
        ({"income_bracket": "25,000 to 49,999"}, "income_bracket", "25k_50k"),
        ({"income_bracket": "75k\u2013100k"}, "income_bracket", "75k_100k"),
        ({"income_bracket": "up to 25k"}, "income_bracket", "under_25k"),
        ({"income_bracket": "150k+"}, "income_bracket", "150k_and_over"),
    ],
)
def test_enum_synonyms(traits: dict[str, Any], name: str, value: str) -> None:
    assert column(name, **traits) == value


@pytest.mark.parametrize("value", ["high", "over 100k", "25k-100k", "under 50k", -5, 1e300, "k", "10-20-30"])
def test_no_income_brackets(value: Any) -> None:
    assert refused("income_bracket", income_bracket=value)


def test_the_latest_context_stands_above_the_trait() -> None:
    assert normalized({"device_type": "tv"}, "Desktop")[0]["device_type"] == "desktop"
    assert normalized({"device_type": "tv"}, None)[0]["device_type"] == "tv"
    assert normalized({"device_type": "tv"}, "toaster") == ({**dict.fromkeys(COLUMNS), "tags": []}, ("device_type",))


SPELLINGS = [spelling for column in TRAIT_COLUMNS for spelling in column.spellings if "." not in spelling]
TEXTS = st.text(alphabet=st.characters(), max_size=40) | st.sampled_from(
    ["+", "+1", "00", "a@b", "en-", "2026-01-01T", "1e999", "NaN", "\ud800", "9" * 30, "-" * 300, "٣٤", "²", "1_000"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.sampled_from([10**4000, -(2**63)]) | st.floats() | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=5)
NAMES = st.sampled_from(SPELLINGS) | TEXTS
PARTS = st.dictionaries(st.sampled_from(["city", "country", "lat", "lng", "zip"]) | TEXTS, VALUES, max_size=4)
TRAITS = st.dictionaries(NAMES, VALUES, max_size=8) | st.builds(
    lambda traits, address: {**traits, "address": address}, st.dictionaries(NAMES, VALUES, max_size=4), PARTS
)
KINDS = {"STRING": str, "INTEGER": int, "FLOAT": float, "TIMESTAMP": int, "DATE": str}


@given(TRAITS, st.none() | TEXTS)
def test_any_json_value_gives_storable_columns_whatever_the_order(traits: dict[str, Any], device: str | None) -> None:
    columns, failed = normalized(traits, device)
    assert normalized(dict(reversed(traits.items())), device) == (columns, failed)
    for described in PROFILES.columns:
        value: Any = columns.get(described.name)
        if value is not None:
            assert type(value) is (list if described.repeated else KINDS[described.type])
            orjson.dumps(value)  # text that has no UTF-8 form could not be stored
            if described.type == "DATE":
                date.fromisoformat(str(value))
    assert all(columns[name] in (None, []) for name in failed)
    assert len(set(failed)) == len(failed)


@pytest.mark.parametrize(
    ("number", "country", "expected"),
    [
        ("tel:+1-202-555-0143", None, "+12025550143"),
        ("\uff12\uff10\uff12\uff15\uff15\uff15\uff10\uff11\uff14\uff13", "US", "+12025550143"),
        ("\u202a+1 202 555 0143\u202c", None, "+12025550143"),
        ("12025550143.0", None, "+12025550143"),
        (12025550143.0, None, "+12025550143"),
        ("09876543210", "IN", "+919876543210"),
        ("0919876543210", "IN", None),
    ],
)
def test_wrappings_of_phone_numbers_are_taken_off_and_only_valid_ones_stand(
    number: Any, country: str | None, expected: str | None
) -> None:
    assert normalized({"phone": number, "country": country}, None)[0]["phone"] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["vip", " b2b ", "vip", None, ""], ["vip", "b2b"]),
        ("vip, b2b", ["vip", "b2b"]),
        ([7], ["7"]),
        ([], []),
    ],
)
def test_tags_are_a_list_of_labels(value: Any, expected: list[str]) -> None:
    assert column("tags", tags=value) == expected


@pytest.mark.parametrize("value", [7, {"a": 1}, [["vip"]], [{"name": "vip"}], [True]])
def test_what_is_no_list_of_labels(value: Any) -> None:
    columns, failed = normalized({"tags": value}, None)
    assert (columns["tags"], failed) == ([], ("tags",))
