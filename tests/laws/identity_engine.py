"""The engine's identity, put together from its pure parts into the form in which the reference gives its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from schemas.event import Event
from tests.reference.identity import Resolution
from tests.strategies.identities import IdentityCase
from transforms.identity.aliases import Alias
from transforms.identity.links import Link
from transforms.identity.plan import Deletion, Device, IdentityPlan, make_plan


def resolve(case: IdentityCase) -> Resolution:
    """What the stages of the batch job do, one after the other."""
    known = [event for event in case.events if event.timestamp <= case.as_of]
    plan = plan_of(known, case)
    result = Resolution()
    devices = {device: Device(plan, links) for device, links in links_of(known, plan).items()}
    for event in case.events:
        place(event, plan, devices, result, is_known=event.timestamp <= case.as_of)
    for name, device in devices.items():
        result.links |= {(name, link.user_id, link.timestamp, link.message_id) for link in device.links}
    result.merged = {f"user:{alias.previous_id}": f"user:{plan.root(alias.user_id)}" for alias in plan.merged}
    result.merged |= absorbed_devices(known, devices, result)
    return result


def plan_of(known: list[Event], case: IdentityCase) -> IdentityPlan:
    """The plan that aliases and deletions make."""
    aliases = [
        Alias(event.timestamp, event.message_id, event.previous_id or "", event.user_id or "")
        for event in known
        if event.type == "alias"
    ]
    deletions = [
        Deletion(event.timestamp, event.message_id, event.user_id or "") for event in known if event.type == "delete"
    ]
    last_seen: dict[str, int] = {}
    for event in known:
        if event.user_id in {alias.previous_id for alias in aliases}:
            last_seen[event.user_id] = max(event.timestamp, last_seen.get(event.user_id, event.timestamp))
    limits = {"stitch_window_us": case.stitch_window, "max_merges": case.max_merges}
    return make_plan(aliases, deletions, last_seen, case.as_of, **limits)


def links_of(known: Iterable[Event], plan: IdentityPlan) -> dict[str, list[Link]]:
    """The links on each device."""
    found: dict[str, list[Link]] = defaultdict(list)
    for event in known:
        if event.user_id is None or event.type == "delete":
            continue
        for of_previous, device in ((False, event.anonymous_id), (True, event.previous_id)):
            stands = plan.stands(event.message_id, of_previous=of_previous)
            if device is not None and stands:
                found[device].append(Link(event.timestamp, event.message_id, event.user_id, stands))
    return found


def place(event: Event, plan: IdentityPlan, devices: dict[str, Device], result: Resolution, *, is_known: bool) -> None:
    """Puts an event where it belongs."""
    if event.type == "delete" and is_known:
        result.deletions.add((event.message_id, event.user_id or "", event.timestamp))
        result.erased.add(event.message_id)
        return
    if event.user_id is not None:
        user: str | None = event.user_id
        deletion = plan.erased_by(event.user_id, event.timestamp)
    else:
        device = devices.get(event.anonymous_id or "", Device(plan, ()))
        user, deletion = device.owner(event.timestamp)
    if deletion is not None:
        result.erased.add(event.message_id)
    elif event.message_id in plan.refused:
        result.failures[event.message_id] = plan.refused[event.message_id]
    else:
        result.profile_of[event.message_id] = f"user:{plan.root(user)}" if user else f"anon:{event.anonymous_id}"


def absorbed_devices(known: Iterable[Event], devices: dict[str, Device], result: Resolution) -> dict[str, str]:
    """The anonymous profiles whose events all went to users, with the user of the earliest stitched one."""
    found: dict[str, str] = {}
    left: set[str] = set()
    for event in sorted(known, key=lambda item: (item.timestamp, item.message_id)):
        profile = result.profile_of.get(event.message_id)
        if event.user_id is not None or event.anonymous_id is None or profile is None:
            continue
        anonymous = f"anon:{event.anonymous_id}"
        if profile == anonymous:
            left.add(anonymous)
        elif event.anonymous_id in devices and devices[event.anonymous_id].is_stitched(event.timestamp):
            found.setdefault(anonymous, profile)
    return {anonymous: user for anonymous, user in found.items() if anonymous not in left}
