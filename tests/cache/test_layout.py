import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.io.cache import layout
from pipelines.io.cache.layout import Membership
from pipelines.io.cache.location import CacheError, CacheLocation, parse_cache

INSTANTS = st.integers(0, 2**53)


@given(INSTANTS, st.none() | INSTANTS)
def test_a_value_reads_back(entered: int, expires: int | None) -> None:
    membership = Membership("buyers", entered, expires)
    assert layout.membership_of("buyers", layout.value_of(membership)) == membership


@given(INSTANTS, INSTANTS)
def test_versions_are_in_order_as_texts(one: int, other: int) -> None:
    assert (layout.version_text(one) < layout.version_text(other)) == (one < other)


@pytest.mark.parametrize(("now", "expected"), [(9, ["always", "until_ten"]), (10, ["always"]), (11, ["always"])])
def test_a_member_is_none_from_the_instant_at_which_it_expires(now: int, expected: list[str]) -> None:
    fields = {"_v": "1", "_ids": "\0user:a", "until_ten": "1:10", "always": "1:"}
    assert [one.segment for one in layout.members_at(fields, now)] == expected


def test_an_entry_is_kept_for_a_while_after_its_last_member_has_expired() -> None:
    assert layout.keep_until_ms([Membership("a", 1, 5_000), Membership("b", 1, 9_000)], 2_000, 1_000) == 10
    assert layout.keep_until_ms([Membership("a", 1, 5_000), Membership("b", 1)], 2_000, 1_000) is None
    assert layout.keep_until_ms([Membership("a", 1, 5_000)], 20_000, 1_000) == 21, "those of an old as_of can be seen"


def test_a_location_shows_no_password() -> None:
    location = parse_cache("redis://me:secret@cache.example:6380/3")
    assert location == CacheLocation("redis://me:secret@cache.example:6380/3")
    assert str(location) == "redis://cache.example:6380/3"
    assert "secret" not in repr(location)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("localhost:6379", "expected redis://HOST:PORT/DB"),
        ("rediz://localhost:6379/0", "did you mean redis://?"),
        ("redis://localhost:port/0", "the port is no number"),
        ("redis://", "no host"),
        ("redis://localhost:6379/main", "database 'main'; expected a number"),
    ],
)
def test_what_is_no_cache_is_refused(text: str, told: str) -> None:
    with pytest.raises(CacheError) as refused:
        parse_cache(text)
    assert told in str(refused.value)


def test_a_refusal_shows_no_password() -> None:
    with pytest.raises(CacheError) as refused:
        parse_cache("redis://me:secret@localhost:6379/main")
    assert "secret" not in str(refused.value)
