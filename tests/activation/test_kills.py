"""Killed at any request and at any write of the ledger, then run again: as wanted, within the vendors' limits."""

from __future__ import annotations

import pytest

from services.vendors.faults import Fault, FaultKind
from services.vendors.hubspot import HubSpot
from services.vendors.mailchimp import Mailchimp, hash_of
from tests.activation.world import Kill, Killed, Someone, World, hubspot, mailchimp

CERTAIN = 40
"""More requests or writes than a run of this story has."""


def before(world: World) -> None:
    """Ada and Bob are there; then Ada's address changes, Bob leaves, Eve enters, Ned is erased, Una unsubscribes."""
    names = ("ada", "bob", "ned", "una")
    world.people = {f"user:{name}": Someone(f"{name}@shop.test", ("news",)) for name in names}
    world.run(mailchimp(), hubspot())


def change(world: World) -> None:
    world.people["user:ada"].email = "countess@shop.test"
    world.people["user:bob"].segments = ()
    world.people["user:eve"] = Someone("eve@shop.test", ("news", "vip"))
    del world.people["user:ned"]
    world.deleted = ["ned"]
    world.said = [("user:una", "Unsubscribed", {})]


def expect(world: World, letters: Mailchimp, crm: HubSpot) -> None:
    there = {"countess@shop.test", "eve@shop.test"}
    assert letters.tagged("news") == crm.listed("news") == there
    assert letters.forgotten == {hash_of("ned@shop.test")}
    assert crm.blocked == {"ned@shop.test"}
    assert world.violations() == []
    asked = world.asked()
    assert all(result.is_as_wanted for result in world.run(mailchimp(), hubspot()))
    assert world.asked() == asked


@pytest.mark.parametrize("of", ["requests", "commits"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_each_point_in_turn(of: str, after: bool, world: World, letters: Mailchimp, crm: HubSpot) -> None:
    killed = 0
    for place in range(CERTAIN):
        before(world)
        change(world)
        try:
            world.run(mailchimp(), hubspot(), **{of: Kill(place, after)})
        except Killed:
            killed += 1
        else:
            break
        assert all(result.is_as_wanted for result in world.run(mailchimp(), hubspot()))
        begin_again(world, letters, crm)
    assert killed >= 4


@pytest.mark.parametrize("kind", ["lost", "refused", "late", "error"])
def test_a_fault_at_each_request_in_turn(kind: FaultKind, world: World, letters: Mailchimp, crm: HubSpot) -> None:
    for place in range(CERTAIN):
        before(world)
        change(world)
        letters.faults.requests = crm.faults.requests = 0
        letters.faults.ordered = [Fault(kind, request=place)]
        crm.faults.ordered = [Fault(kind, request=place, status=429)]
        results = world.run(mailchimp(), hubspot())
        asked = max(letters.faults.requests, crm.faults.requests)
        assert all(result.is_as_wanted for result in results)
        letters.faults.ordered, crm.faults.ordered = [], []
        begin_again(world, letters, crm)
        if asked <= place:
            break
    assert place >= 4


def begin_again(world: World, letters: Mailchimp, crm: HubSpot) -> None:
    """All is as it should be; and then as it was at the beginning."""
    expect(world, letters, crm)
    world.deleted, world.said, world.people = [], [], {}
    letters.forgotten.clear()
    letters.members.clear()
    crm.blocked.clear()
    crm.contacts.clear()
    for members in crm.lists.values():
        members.clear()
    world.ledger.forget()
