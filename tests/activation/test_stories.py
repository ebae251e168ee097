"""Stories of people and two made-up vendors: at the end the vendors hold who is wanted, and nobody else."""

from __future__ import annotations

import pytest

from services.vendors.faults import Fault
from services.vendors.hubspot import HubSpot
from services.vendors.mailchimp import Mailchimp, Member, hash_of
from tests.activation.world import Someone, World, hubspot, mailchimp

ADA, BOB, EVE = "ada@shop.test", "bob@shop.test", "eve@shop.test"


def three(world: World) -> None:
    world.people = {
        "user:ada": Someone(ADA, ("news",), first_name="Ada"),
        "user:bob": Someone(BOB, ("news",), first_name="Bob"),
        "user:eve": Someone(EVE, (), first_name="Eve"),
    }


def expect(world: World, letters: Mailchimp, crm: HubSpot, *addresses: str) -> None:
    """Both hold them, a run more sends nothing, and no request was against a schema."""
    assert letters.tagged("news") == set(addresses)
    assert crm.listed("news") == set(addresses)
    before = world.asked()
    assert all(result.is_as_wanted for result in world.run(mailchimp(), hubspot()))
    assert world.asked() == before
    assert world.violations() == []


def test_members_are_there_with_their_fields(world: World, letters: Mailchimp, crm: HubSpot) -> None:
    three(world)
    assert all(result.is_as_wanted for result in world.run(mailchimp(), hubspot()))
    expect(world, letters, crm, ADA, BOB)
    assert letters.members[hash_of(ADA)].merge_fields == {"FNAME": "Ada"}
    assert {contact.properties["firstname"] for contact in crm.contacts.values()} == {"Ada", "Bob"}
    assert {row.state for row in world.rows("letters").values()} == {"acknowledged"}


def test_who_leaves_and_who_enters(world: World, letters: Mailchimp, crm: HubSpot) -> None:
    three(world)
    world.run(mailchimp(), hubspot())
    world.people["user:ada"].segments = ()
    world.people["user:eve"].segments = ("news",)
    world.run(mailchimp(), hubspot())
    expect(world, letters, crm, BOB, EVE)
    assert letters.members[hash_of(ADA)].status == "subscribed"  # out of the segment, not unsubscribed
    assert not world.rows("crm")["user:ada", "news"].wanted


def test_a_changed_field_is_sent_alone(world: World, letters: Mailchimp, crm: HubSpot) -> None:
    three(world)
    world.run(mailchimp(), hubspot())
    world.people["user:ada"].first_name = "Augusta"
    world.run(mailchimp(), hubspot())
    expect(world, letters, crm, ADA, BOB)
    assert letters.members[hash_of(ADA)].merge_fields == {"FNAME": "Augusta"}


def test_a_changed_address_leaves_under_the_old_one(world: World, letters: Mailchimp, crm: HubSpot) -> None:
    three(world)
    world.run(mailchimp(), hubspot())
    world.people["user:ada"].email = "countess@shop.test"
    world.run(mailchimp(), hubspot())
    expect(world, letters, crm, "countess@shop.test", BOB)


def test_an_address_that_goes_over_to_another_profile_stays(world: World, letters: Mailchimp, crm: HubSpot) -> None:
    three(world)
    world.run(mailchimp(), hubspot())
    world.people["user:eve"] = Someone(ADA, ("news",), last_seen_at=1)
    world.people["user:ada"].segments = ()
    world.run(mailchimp(), hubspot())
    expect(world, letters, crm, ADA, BOB)
    world.people["user:eve"].segments = ()
    world.run(mailchimp(), hubspot())
    expect(world, letters, crm, BOB)


def test_two_profiles_with_one_address_have_one_owner(world: World, letters: Mailchimp, crm: HubSpot) -> None:
    three(world)
    world.people["user:ada2"] = Someone(ADA, ("news",), first_name="Older", last_seen_at=1)
    world.run(mailchimp(), hubspot())
    expect(world, letters, crm, ADA, BOB)
    assert letters.members[hash_of(ADA)].merge_fields == {"FNAME": "Ada"}


def test_a_merged_profile_hands_its_place_over(world: World, letters: Mailchimp, crm: HubSpot) -> None:
    three(world)
    world.run(mailchimp(), hubspot())
    world.people["user:ada"] = Someone(merged_into="user:eve")
    world.people["user:eve"] = Someone(EVE, ("news",))
    world.run(mailchimp(), hubspot())
    expect(world, letters, crm, EVE, BOB)
    del world.people["user:ada"], world.people["user:eve"]
    world.deleted = ["eve"]
    world.run(mailchimp(), hubspot())
    assert letters.forgotten == {hash_of(ADA), hash_of(EVE)}  # the merged one's record, too
    assert crm.blocked == {ADA, EVE}


def test_a_segment_taken_from_the_file_is_left_by_all(world: World, letters: Mailchimp, crm: HubSpot) -> None:
    world.people = {f"user:{n}": Someone(f"u{n}@shop.test", ("news", "vip")) for n in range(25)}
    world.run(mailchimp(("news", "vip")), hubspot(("news", "vip")))
    assert len(letters.tagged("vip")) == len(crm.listed("vip")) == 25
    world.run(mailchimp(), hubspot())
    assert letters.tagged("vip") == crm.listed("vip") == set()
    assert len(letters.tagged("news")) == len(crm.listed("news")) == 25


def test_an_erased_person_is_gone_from_every_destination(world: World, letters: Mailchimp, crm: HubSpot) -> None:
    three(world)
    world.run(mailchimp(), hubspot())
    world.people["user:ada"].email = "countess@shop.test"  # an address before: that record is erased, too
    world.run(mailchimp(), hubspot())
    del world.people["user:ada"]
    world.deleted = ["ada"]
    world.run(mailchimp(), hubspot())
    expect(world, letters, crm, BOB)
    assert letters.forgotten == {hash_of(ADA), hash_of("countess@shop.test")}
    assert crm.blocked == {ADA, "countess@shop.test"}
    assert not [key for key in world.rows("letters") if key[0] == "user:ada"]
    world.people["user:ada"] = Someone(ADA, ("news",))  # back again, and still somebody who said no
    world.run(mailchimp(), hubspot())
    expect(world, letters, crm, BOB)
    assert world.rows("letters")["user:ada", "news"].state == "suppressed"


@pytest.mark.parametrize("lost", [True, False])
def test_an_erased_person_is_found_without_a_record_id(world: World, crm: HubSpot, lost: bool) -> None:
    three(world)
    crm.faults.ordered = [Fault("lost" if lost else "late", path="batch/upsert", times=6)]
    [result] = world.run(hubspot())
    assert not result.is_as_wanted
    del world.people["user:ada"]
    world.deleted = ["ada"]
    [result] = world.run(hubspot())
    assert result.is_as_wanted
    assert {contact.email for contact in crm.contacts.values()} == {BOB}


def test_an_address_that_somebody_else_has_is_not_erased(world: World, letters: Mailchimp, crm: HubSpot) -> None:
    three(world)
    world.people["user:eve"] = Someone(ADA, ("news",))
    world.run(mailchimp(), hubspot())
    del world.people["user:ada"]
    world.deleted = ["ada"]
    world.run(mailchimp(), hubspot())
    assert letters.tagged("news") == crm.listed("news") == {ADA, BOB}
    assert not letters.forgotten


def test_what_was_changed_by_hand_is_put_right(world: World, letters: Mailchimp, crm: HubSpot) -> None:
    three(world)
    world.run(mailchimp(), hubspot())
    letters.members[hash_of(ADA)].tags.clear()
    letters.members[hash_of(EVE)] = Member(EVE, "subscribed", {}, {"news"})
    crm.lists[crm.names["news"]].clear()
    world.run(mailchimp(), hubspot(), reconcile=True)
    expect(world, letters, crm, ADA, BOB)


def test_more_than_half_do_not_leave_at_once(world: World, letters: Mailchimp) -> None:
    world.people = {f"user:{n}": Someone(f"u{n}@shop.test", ("news",)) for n in range(20)}
    world.run(mailchimp())
    for n in range(11):
        world.people[f"user:{n}"].segments = ()
    [result] = world.run(mailchimp())
    assert not result.is_as_wanted
    assert "11 of 20" in result.trouble
    assert len(letters.tagged("news")) == 20
    [result] = world.run(mailchimp(), force=True)
    assert result.is_as_wanted
    assert len(letters.tagged("news")) == 9


def test_one_wrong_property_costs_one_contact(world: World, crm: HubSpot) -> None:
    world.people = {f"user:{n}": Someone(f"u{n}@shop.test", ("news",)) for n in range(100)}
    crm.spoilers = {"u41@shop.test"}
    crm.refused = {"u7@shop.test"}
    [result] = world.run(hubspot())
    assert result.is_as_wanted
    assert len(crm.listed("news")) == 98
    refused = {key[0]: row.reason for key, row in world.rows("crm").items() if row.state == "refused"}
    assert set(refused) == {"user:41", "user:7"}
    assert "VALIDATION_ERROR" in (refused["user:41"] or "")
    before = world.asked()
    world.run(hubspot())
    assert world.asked() == before


def test_a_success_that_did_nothing_is_none(world: World, crm: HubSpot) -> None:
    three(world)
    crm.silent = 3
    world.run(hubspot())
    world.run(hubspot())
    assert crm.listed("news") == {ADA, BOB}


def test_what_mailchimp_refuses(world: World, letters: Mailchimp) -> None:
    three(world)
    letters.fakes = {BOB}
    letters.wrong_fields = {"FNAME"}
    [result] = world.run(mailchimp())
    assert result.is_as_wanted
    assert letters.tagged("news") == {ADA}
    rows = world.rows("letters")
    assert (rows["user:bob", "news"].state, rows["user:bob", "news"].reason) == (
        "refused",
        "the address looks fake or invalid",
    )
    assert rows["user:ada", "news"].reason == "without FNAME: invalid"


def test_the_daily_limit_leaves_the_rest_for_later(world: World, crm: HubSpot) -> None:
    three(world)
    body = {"errorType": "RATE_LIMIT", "policyName": "DAILY"}
    crm.faults.ordered = [Fault("error", path="upsert", status=429, body=body)]
    [result] = world.run(hubspot())
    assert result.trouble == "the daily limit is reached"
    assert len(crm.asked) == 2
    world.run(hubspot())
    assert crm.listed("news") == {ADA, BOB}


def test_a_pause_that_is_asked_for_is_made(world: World, letters: Mailchimp, crm: HubSpot) -> None:
    three(world)
    crm.faults.ordered = [Fault("error", path="upsert", status=429, headers=(("retry-after", "7.5"),))]
    before = world.watch.seconds
    world.run(hubspot())
    assert world.watch.seconds - before >= 7.5
    assert crm.listed("news") == {ADA, BOB}
