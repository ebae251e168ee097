"""What the tables say of a profile: its segments now, and which identifiers lead to it."""

from collections.abc import Iterator

import duckdb
import pytest

from pipelines.io.cache.layout import Entry, Membership
from pipelines.io.cache.tables import CacheTables
from schemas.duckdb import create_all
from schemas.tables import IDENTITY_LINKS, MEMBERSHIPS, PROFILES


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(create_all((PROFILES, MEMBERSHIPS, IDENTITY_LINKS)))
        yield connection


def add(connection: duckdb.DuckDBPyConnection, table: str, **values: object) -> None:
    names = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join("make_timestamptz(?)" if isinstance(value, int) else "?" for value in values.values())
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))  # noqa: S608


def add_profile(connection: duckdb.DuckDBPyConnection, profile_id: str, merged_into: str | None = None) -> None:
    connection.execute(
        "INSERT INTO profiles (profile_id, merged_into, anonymous_ids, tags, traits, computed, segments, event_count, "
        "version, recorded_at) VALUES (?, ?, [], [], '{}', '{}', [], 1, 1, now())",
        [profile_id, merged_into],
    )


def add_stay(connection: duckdb.DuckDBPyConnection, profile_id: str, segment: str, at: int, **more: object) -> None:
    stay = {"profile_id": profile_id, "segment": segment, "entered_at": at, "segment_version": "v", "recorded_at": 1}
    stay |= {"message_ids": [], "exit_message_ids": []}
    add(connection, "memberships", **{**stay, **more})


def add_link(connection: duckdb.DuckDBPyConnection, device: str, user: str, at: int) -> None:
    add(connection, "identity_links", anonymous_id=device, user_id=user, timestamp=at, message_id=f"m{at}")


def by_id(entries: Iterator[Entry]) -> dict[str, Entry]:
    return {entry.profile_id: entry for entry in entries}


def test_members_have_their_open_stays_and_their_identifiers(connection: duckdb.DuckDBPyConnection) -> None:
    for profile_id in ("user:anne", "anon:visitor", "user:nobody"):
        add_profile(connection, profile_id)
    add_profile(connection, "user:ann", "user:anne")
    add_link(connection, "phone", "anne", 5)
    add_link(connection, "laptop", "ann", 5)
    add_stay(connection, "user:anne", "buyers", 10, expires_at=90)
    add_stay(connection, "user:anne", "buyers", 1, exited_at=3)
    add_stay(connection, "user:anne", "always", 2)
    add_stay(connection, "anon:visitor", "always", 4)
    assert by_id(CacheTables(connection).members()) == {
        "user:anne": Entry(
            "user:anne",
            (Membership("always", 2), Membership("buyers", 10, 90)),
            ("user:anne", "anon:laptop", "anon:phone", "user:ann"),
        ),
        "anon:visitor": Entry("anon:visitor", (Membership("always", 4),), ("anon:visitor",)),
    }


def test_a_shared_device_leads_to_the_user_who_signed_in_last(connection: duckdb.DuckDBPyConnection) -> None:
    for user in ("anne", "ben"):
        add_profile(connection, f"user:{user}")
        add_stay(connection, f"user:{user}", "always", 1)
    add_link(connection, "phone", "ben", 9)
    add_link(connection, "phone", "anne", 5)
    found = by_id(CacheTables(connection).members())
    assert "anon:phone" in found["user:ben"].identifiers
    assert "anon:phone" not in found["user:anne"].identifiers


def test_a_changed_device_brings_everybody_whom_it_concerns(connection: duckdb.DuckDBPyConnection) -> None:
    for user in ("anne", "ben"):
        add_profile(connection, f"user:{user}")
    add_profile(connection, "user:old", "user:anne")
    add_link(connection, "phone", "old", 5)
    add_link(connection, "phone", "ben", 9)
    found = by_id(CacheTables(connection).states(["anon:phone"]))
    assert set(found) == {"anon:phone", "user:anne", "user:ben", "user:old"}
    assert found["user:ben"].identifiers == ("user:ben", "anon:phone")


def test_who_is_gone_is_in_no_segment(connection: duckdb.DuckDBPyConnection) -> None:
    assert by_id(CacheTables(connection).states(["user:gone"])) == {"user:gone": Entry("user:gone", (), ("user:gone",))}
    assert by_id(CacheTables(connection).states([])) == {}
