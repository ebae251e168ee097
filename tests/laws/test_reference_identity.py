"""Stories that pin the reference of identity: devices, aliases and erasure, at their exact instants."""

from __future__ import annotations

import pytest

from schemas.event import Event
from tests.laws.stories import FAR, HOUR, hour
from tests.reference.identity import Resolution, resolve


def event(message_id: str, at: int, kind: str = "track", **ids: str) -> Event:
    """An event with `user`, `device` and `previous` ids."""
    return Event(
        message_id, at, kind, "", ids.get("user"), ids.get("device"), ids.get("previous"), None, None, None, None, None
    )


def alias(message_id: str, at: int, previous: str, user: str) -> Event:
    return event(message_id, at, "alias", previous=previous, user=user)


def profiles(*events: Event, as_of: int = FAR, stitch_window: int = 3 * HOUR) -> dict[str, str]:
    return resolve(events, as_of, stitch_window).profile_of


def resolved(*events: Event, max_merges: int = 100) -> Resolution:
    return resolve(events, FAR, max_merges=max_merges)


def test_a_shared_device_splits_by_time() -> None:
    found = profiles(
        event("a", hour(1), device="phone", user="ann"),
        event("b", hour(2), device="phone"),
        event("c", hour(3), device="phone", user="bob"),
        event("d", hour(3) - 1, device="phone"),
        event("e", hour(3), device="phone"),
    )
    assert found == {"a": "user:ann", "b": "user:ann", "c": "user:bob", "d": "user:ann", "e": "user:bob"}


@pytest.mark.parametrize(("before", "profile"), [(3 * HOUR, "user:ann"), (3 * HOUR + 1, "anon:phone")])
def test_what_came_before_the_first_link_follows_it_inside_the_stitch_window(before: int, profile: str) -> None:
    found = profiles(event("a", hour(9) - before, device="phone"), event("b", hour(9), device="phone", user="ann"))
    assert found["a"] == profile


def test_links_at_one_instant_break_ties_by_message_id() -> None:
    early, late = event("a", hour(1), device="phone", user="ann"), event("b", hour(1), device="phone", user="bob")
    assert profiles(early, late, event("c", hour(2), device="phone"))["c"] == "user:bob"
    assert profiles(early, late, event("c", hour(0), device="phone"))["c"] == "user:ann"


def test_the_table_of_links_keeps_the_smallest_message_id() -> None:
    found = resolved(*(event(name, hour(1), device="phone", user="ann") for name in "ba"))
    assert found.links == {("phone", "ann", hour(1), "a")}


def test_an_alias_of_a_user_merges_transitively_whenever_it_is_sent() -> None:
    found = resolved(
        event("a", hour(9), user="a"),
        event("b", hour(0), user="b"),
        alias("x", hour(2), "a", "b"),
        alias("y", hour(1), "b", "c"),
    )
    assert found.profile_of == dict.fromkeys("abxy", "user:c")
    assert found.merged == {"user:a": "user:c", "user:b": "user:c"}


def test_an_alias_of_anything_else_is_a_link() -> None:
    found = resolved(event("a", hour(1), device="phone"), alias("x", hour(2), "phone", "ann"))
    assert found.profile_of == {"a": "user:ann", "x": "user:ann"}
    assert found.links == {("phone", "ann", hour(2), "x")}
    assert found.merged == {"anon:phone": "user:ann"}


def test_aliases_that_cannot_be() -> None:
    users = [event(name, hour(0), user=name) for name in "abc"]
    assert resolved(*users, alias("x", hour(1), "a", "b"), alias("y", hour(2), "b", "a")).failures == {
        "y": "alias_cycle"
    }
    assert resolved(*users, alias("x", hour(1), "a", "a")).failures == {"x": "alias_cycle"}
    assert resolved(*users, alias("y", hour(1), "a", "b"), alias("x", hour(1), "a", "c")).failures == {
        "y": "alias_conflict"
    }
    assert resolved(*users, alias("x", hour(1), "a", "b"), alias("y", hour(2), "a", "b")).failures == {}
    merges = [alias("x", hour(1), "a", "c"), alias("y", hour(2), "b", "c")]
    assert resolved(*users, *merges, max_merges=1).failures == {"y": "merge_limit"}
    assert resolved(*users, *merges, max_merges=2).failures == {}


def test_an_anonymous_profile_is_absorbed_only_if_nothing_is_left_of_it() -> None:
    link, before = event("b", hour(5), device="phone", user="ann"), event("a", hour(4), device="phone")
    assert resolve([link, before], FAR, HOUR).merged == {"anon:phone": "user:ann"}
    assert resolve([link, before, event("c", hour(1), device="phone")], FAR, HOUR).merged == {}
    assert resolve([link, event("c", hour(6), device="phone")], FAR, HOUR).merged == {}


def test_erasure_takes_what_is_not_after_it_and_the_device_is_nobodys() -> None:
    found = resolved(
        event("a", hour(0), device="phone"),
        event("b", hour(1), device="phone", user="ann"),
        event("c", hour(2), "delete", user="ann"),
        event("d", hour(2), user="ann"),
        event("e", hour(2) + 1, user="ann"),
        event("f", hour(3), device="phone"),
    )
    assert found.erased == {"a", "b", "c", "d"}
    assert found.profile_of == {"e": "user:ann", "f": "anon:phone"}
    assert found.links == set()
    assert found.deletions == {("c", "ann", hour(2))}


def test_an_alias_that_was_erased_no_longer_merges() -> None:
    found = resolved(
        event("a", hour(0), user="a"),
        alias("x", hour(1), "a", "b"),
        event("d", hour(2), "delete", user="b"),
        event("b", hour(3), user="a"),
    )
    assert found.erased == {"a", "x", "d"}
    assert found.profile_of == {"b": "user:a"}
    assert found.merged == {}


def test_what_is_after_as_of_changes_nothing_before_it() -> None:
    later = [event("b", hour(2), device="phone", user="ann"), alias("x", hour(2), "ann", "bob")]
    found = profiles(event("a", hour(1), device="phone"), *later, as_of=hour(1))
    assert found == {"a": "anon:phone", "b": "user:ann", "x": "user:bob"}
