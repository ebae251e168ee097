"""A random walk: people enter, leave, move, say no, are erased; runs are killed. At the end all is as wanted."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.vendors.hubspot import HubSpot
from services.vendors.mailchimp import Mailchimp, hash_of
from tests.activation.world import Kill, Killed, Someone, World, hubspot, mailchimp
from transforms.activation.destination import Destination

NAMES = ("a", "b", "c", "d")
ADDRESSES = ("one@shop.test", "two@shop.test", "three@shop.test", None)

steps = st.one_of(
    st.tuples(st.just("segments"), st.sampled_from(NAMES), st.sampled_from([(), ("news",), ("vip",), ("news", "vip")])),
    st.tuples(st.just("address"), st.sampled_from(NAMES), st.sampled_from(ADDRESSES)),
    st.tuples(st.just("consent"), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("no"), st.sampled_from(NAMES), st.just("Unsubscribed")),
    st.tuples(st.just("erase"), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("kill request"), st.integers(0, 12), st.booleans()),
    st.tuples(st.just("kill write"), st.integers(0, 8), st.booleans()),
    st.tuples(st.just("run"), st.none(), st.none()),
)


def take(world: World, kind: str, one: object, other: object) -> None:
    key = f"user:{one}"
    if kind == "erase":
        world.people.pop(key, None)
        world.said = [said for said in world.said if said[0] != key]
        world.deleted.append(str(one))
    elif kind == "no":
        world.people.setdefault(key, Someone())
        world.said.append((key, str(other), {}))
    elif kind in {"kill request", "kill write"}:
        of = "requests" if kind == "kill request" else "commits"
        try:
            world.run(*destinations(), **{of: Kill(int(str(one)), bool(other))})
        except Killed:
            return
    elif kind == "run":
        world.run(*destinations())
    else:
        someone = world.people.setdefault(key, Someone())
        if kind == "segments":
            assert isinstance(other, tuple)
            someone.segments = other
        elif kind == "address":
            someone.email = None if other is None else str(other)
        else:
            someone.traits = {"consent": {"marketing": other}}


def destinations() -> tuple[Destination, ...]:
    return mailchimp(("news", "vip"), consent=("marketing",)), hubspot(("news", "vip"), consent=("marketing",))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, max_size=12))
def test_a_random_walk_ends_as_wanted(walk: list[tuple[str, object, object]]) -> None:
    follow(walk)


@pytest.mark.long
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, max_size=30))
def test_many_long_walks_end_as_wanted(walk: list[tuple[str, object, object]]) -> None:
    follow(walk)


def follow(walk: list[tuple[str, object, object]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world = World(patch)
        letters, crm = Mailchimp(), HubSpot()
        world.vendors = {"mailchimp": letters, "hubspot": crm}
        for kind, one, other in walk:
            take(world, kind, one, other)
        world.run(*destinations())
        for segment in ("news", "vip"):
            gone = {one for one in world.wanted(segment) if was_erased(letters, one)}
            assert letters.tagged(segment) == world.wanted(segment) - gone
            assert crm.listed(segment) == world.wanted(segment) - crm.blocked
        assert world.violations() == []
        before = world.asked()
        results = world.run(*destinations())
        assert all(result.is_as_wanted for result in results)
        assert world.asked() == before


def was_erased(letters: Mailchimp, email: str) -> bool:
    return hash_of(email) in letters.forgotten
