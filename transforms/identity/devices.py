"""Whose the anonymous events of a device are, before and after erasure. Pure.

The bounded job and the preview resolve the devices of a bucket; the stream keeps one device up to date
(cells/devices.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

from schemas.event import MESSAGE_ID, TIMESTAMP
from schemas.instants import EARLIEST_US
from schemas.tables import EVENTS, IDENTITY_LINKS
from transforms.identity.links import AFTER, BEFORE, BOTH, DeviceLinks, Link
from transforms.identity.plan import IdentityPlan
from transforms.profiles.rows import Row, merged_profile
from transforms.records import Record


class Device:
    """One anonymous id: whose its anonymous events are, before and after erasure."""

    __slots__ = ("_after", "_before", "_plan", "links")

    def __init__(self, plan: IdentityPlan, links: Iterable[Link]) -> None:
        links = list(links)
        before = [link for link in links if link.stands & BEFORE]
        after = [link for link in links if link.stands & AFTER]
        if plan.erased:
            after = [link for link in after if plan.erased_by(link.user_id, link.timestamp) is None]
        self._plan = plan
        self._before = DeviceLinks(before)
        self._after = self._before if after == before else DeviceLinks(after)
        self.links = self._after.distinct()

    def owner(self, timestamp: int) -> tuple[str | None, str | None]:
        """Whose an anonymous event is: (user or None for nobody, None), or (None, deletion) where it is erased."""
        window = self._plan.stitch_window_us
        user = self._before.owner(timestamp, window)
        if user is not None and self._plan.erased:
            deletion = self._plan.erased_by(user, timestamp)
            if deletion is not None:
                return None, deletion
        return user if self._after is self._before else self._after.owner(timestamp, window), None

    def erases(self, timestamp: int | None) -> bool:
        """Whether what names the device at an instant is erased; None: at any, by any user it was ever linked to."""
        if timestamp is not None:
            return self.owner(timestamp)[1] is not None
        return any(self._plan.erased_by(user, EARLIEST_US) is not None for user in self._before.users())

    def confirms(self, link: Link) -> bool:
        """Whether a further link changes nobody's event: its user is behind the device at that instant anyway."""
        stand_alike = not self._plan.erased and self._after is self._before and link.stands == BOTH
        return stand_alike and self._before.latest_user(link.timestamp) == link.user_id

    def add(self, link: Link) -> None:
        """Takes in a link that `confirms` what is known."""
        self._before.add(link)

    def is_stitched(self, timestamp: int) -> bool:
        """Whether an event at `timestamp` came before the first link that still stands."""
        return self._after.is_stitched(timestamp)


class ResolvedDevices(NamedTuple):
    """What the devices of a bucket come to.

    Attributes:
        known: (profile id `user:...`, event) of events that turned out to be a user's (not: of the root of its merges).
        anonymous: (profile id `anon:...`, event) of those that are nobody's.
        links: rows of identity_links.
        absorbed: rows of the anonymous profiles of which nothing is left.
        erased: rows erased, by (message id of the deletion, table).
    """

    known: list[Record]
    anonymous: list[Record]
    links: list[Row]
    absorbed: list[Row]
    erased: Counter[tuple[str, str]]


def resolve_devices(told: Iterable[Record], plan: IdentityPlan) -> ResolvedDevices:
    """Resolves all devices of which something is told (`routes.Routed.devices`)."""
    merging = {alias.message_id for alias in plan.merged}
    events: dict[str, list[Record]] = {}
    links: dict[str, list[Link]] = {}
    merges: dict[str, list[Row]] = {}
    for device, event, link in told:
        if link is None:
            events.setdefault(device, []).append(event)
            continue
        timestamp, message_id, user_id, is_alias = link
        if is_alias and message_id in merging:
            merges.setdefault(device, []).append((device, user_id, timestamp, message_id))
        elif standing := standing_link(link, plan):
            links.setdefault(device, []).append(standing)
    found = ResolvedDevices([], [], [], [], Counter())
    for device in sorted(events.keys() | links.keys() | merges.keys()):
        _resolve(device, events.get(device, []), links.get(device, []), merges.get(device, []), plan, found)
    return found


def standing_link(told: Record, plan: IdentityPlan) -> Link | None:
    """A link as it was told (`routes.Routed.devices`), where it stands in any resolution."""
    timestamp, message_id, user_id, is_alias = told
    stands = plan.stands(message_id, of_previous=is_alias)
    return Link(timestamp, message_id, user_id, stands) if stands else None


def links_of_erased(told: Iterable[Record], plan: IdentityPlan) -> dict[str, list[Link]]:
    """All links of the devices that were ever linked to an erased user, of those of which something is told."""
    if not plan.erased:
        return {}
    links: dict[str, list[Link]] = {}
    for device, _, link in told:
        if link is not None and (standing := standing_link(link, plan)):
            links.setdefault(device, []).append(standing)
    return {
        device: of_device
        for device, of_device in links.items()
        if any(link.user_id in plan.erased and link.stands & BEFORE for link in of_device)
    }


def _resolve(
    device_id: str,
    events: list[Record],
    links: list[Link],
    merges: list[Row],
    plan: IdentityPlan,
    found: ResolvedDevices,
) -> None:
    device = Device(plan, links)
    for name, count in erased_links(links, plan).items():
        found.erased[name, IDENTITY_LINKS.name] += count
    rows = [(device_id, link.user_id, link.timestamp, link.message_id) for link in device.links]
    found.links.extend(_one_per_key(rows + merges) if merges else rows)
    own, stitched = False, None
    for event in sorted(events, key=itemgetter(TIMESTAMP, MESSAGE_ID)) if links else events:
        user, deletion = device.owner(event[TIMESTAMP]) if links else (None, None)
        if deletion is not None:
            found.erased[deletion, EVENTS.name] += 1
        elif user is None:
            own = own or event[TIMESTAMP] <= plan.as_of
            found.anonymous.append((f"anon:{device_id}", event))
        else:
            found.known.append((f"user:{user}", event))
            if stitched is None and device.is_stitched(event[TIMESTAMP]) and event[TIMESTAMP] <= plan.as_of:
                stitched = user
    if stitched is not None and not own:
        found.absorbed.append(merged_profile(f"anon:{device_id}", f"user:{plan.root(stitched)}", plan.as_of))


def erased_links(links: Iterable[Link], plan: IdentityPlan) -> Counter[str]:
    """How many of a device's links each deletion erased. An alias may make one link by both of its ids."""
    if not plan.erased:
        return Counter()
    found = (plan.erased_by(user_id, timestamp) for timestamp, _, user_id in {link[:3] for link in links})
    return Counter(deletion for deletion in found if deletion is not None)


def _one_per_key(rows: Iterable[Row]) -> list[Row]:
    """An id may be a user that was merged, and a device linked to the same user at the same instant."""
    kept: dict[Row, Row] = {}
    for row in sorted(rows):
        kept.setdefault(row[:3], row)
    return list(kept.values())
