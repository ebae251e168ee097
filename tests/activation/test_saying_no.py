"""Every way in which somebody says no: they are not added, and taken out where they are in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.vendors.hubspot import HubSpot
from services.vendors.mailchimp import Mailchimp, hash_of
from tests.activation.world import Someone, World, hubspot, mailchimp

ADA, BOB = "ada@shop.test", "bob@shop.test"


def say(event: str, **properties: object) -> Callable[[World], None]:
    return lambda world: world.said.append(("user:ada", event, properties))


def withdraw(world: World) -> None:
    world.people["user:ada"].traits = {"consent": {"marketing": False}}


def never_consent(world: World) -> None:
    world.people["user:ada"].traits = {}


def opt_out(world: World) -> None:
    world.people["user:ada"].traits = {"consent": {"marketing": True}, "unsubscribed": True}


def other_profile_says(world: World) -> None:
    world.people["user:twin"] = Someone(ADA)
    world.said.append(("user:twin", "Unsubscribed", {}))


def address_in_the_event(world: World) -> None:
    world.people["anon:x"] = Someone()
    world.said.append(("anon:x", "Email Bounced", {"email": "Ada@Shop.Test", "bounce_type": "Permanent"}))


WAYS = {
    "unsubscribed": say("Unsubscribed"),
    "spam": say("Email Marked as Spam"),
    "hard bounce": say("Email Bounced", bounce_type="hard"),
    "bounce of no known kind": say("Email Bounced"),
    "consent withdrawn": withdraw,
    "consent never given": never_consent,
    "trait": opt_out,
    "another profile with the address": other_profile_says,
    "an event that names the address": address_in_the_event,
}


@pytest.mark.parametrize("way", WAYS)
def test_who_says_no_is_not_touched(way: str, world: World, letters: Mailchimp, crm: HubSpot) -> None:
    world.people = {"user:ada": Someone(ADA, ("news",)), "user:bob": Someone(BOB, ("news",))}
    WAYS[way](world)
    world.run(mailchimp(), hubspot())
    assert letters.tagged("news") == crm.listed("news") == {BOB}
    assert ADA not in letters.touched | crm.touched
    assert world.violations() == []


@pytest.mark.parametrize("way", WAYS)
def test_who_says_no_later_is_taken_out(way: str, world: World, letters: Mailchimp, crm: HubSpot) -> None:
    world.people = {"user:ada": Someone(ADA, ("news",)), "user:bob": Someone(BOB, ("news",))}
    world.run(mailchimp(), hubspot())
    assert ADA in letters.tagged("news") & crm.listed("news")
    WAYS[way](world)
    results = world.run(mailchimp(), hubspot())
    assert all(result.is_as_wanted for result in results)
    assert letters.tagged("news") == crm.listed("news") == {BOB}
    before = world.asked()
    world.run(mailchimp(), hubspot())
    assert world.asked() == before


def test_a_soft_bounce_says_nothing(world: World, letters: Mailchimp) -> None:
    world.people = {"user:ada": Someone(ADA, ("news",))}
    world.said = [("user:ada", "Email Bounced", {"bounce_type": "soft"})]
    world.run(mailchimp())
    assert letters.tagged("news") == {ADA}


@pytest.mark.parametrize("status", ["unsubscribed", "cleaned", "compliance"])
def test_who_said_no_at_mailchimp(status: str, world: World, letters: Mailchimp) -> None:
    world.people = {"user:ada": Someone(ADA, ("news",)), "user:bob": Someone(BOB, ("news",))}
    world.run(mailchimp())
    letters.members[hash_of(ADA)].status = status
    world.people["user:ada"].first_name = "Augusta"
    results = world.run(mailchimp())
    assert all(result.is_as_wanted for result in results)
    assert letters.tagged("news") == {BOB}
    assert letters.members[hash_of(ADA)].status == status
    assert world.rows("letters")["user:ada", "news"].state == "suppressed"
    letters.touched.clear()
    world.people["user:ada"].first_name = "Ada"
    world.run(mailchimp())
    assert ADA not in letters.touched


def test_who_opted_out_at_hubspot(world: World, crm: HubSpot) -> None:
    world.people = {"user:ada": Someone(ADA, ("news",)), "user:bob": Someone(BOB, ("news",))}
    crm.opted_out = {ADA}
    world.run(hubspot())
    assert crm.listed("news") == {BOB}
    assert ADA not in crm.touched
    assert world.rows("crm")["user:ada", "news"].reason == "unsubscribed"
