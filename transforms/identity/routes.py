"""What an event tells to whom (docs/identity.md): the one place that knows. Pure.

F routes all events by it, batch and preview those that had to be compared, the stream one event after the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from schemas.event import ANONYMOUS_ID, MESSAGE_ID, PREVIOUS_ID, TIMESTAMP, TYPE, USER_ID
from transforms.deduplicate.copies import RAW
from transforms.records import Record


class Told(NamedTuple):
    """What one event tells.

    Attributes:
        user: whose event it is, as sent: that user's, or the root's of the user's merges. None: see `device`.
        device: the device that decides whose event it is; None: it is known, or the event is a deletion.
        seen: the id that occurs as a user id. A previous id that is seen names a user, also by nothing but its erasure.
        links: the devices that it links to its user, each with whether it is the previous id of an alias. An alias
            links only where the plan says that it stands.
        claims: it is an alias or a deletion: what it means depends on all the others.
    """

    user: str | None = None
    device: str | None = None
    seen: str | None = None
    links: tuple[tuple[str, bool], ...] = ()
    claims: bool = False


def tell(record: Record, as_of: int | None = None) -> Told:
    """What a record that stands tells. After `as_of`, where it is given, an event is nothing but its owner's."""
    user_id, device = record[USER_ID], record[ANONYMOUS_ID]
    if user_id is None:
        return Told(device=device)
    if as_of is not None and record[TIMESTAMP] > as_of:
        return Told(user_id)
    kind = record[TYPE]
    if kind == "delete":
        return Told(seen=user_id, claims=True)
    links = () if device is None else ((device, False),)
    if kind == "alias":
        return Told(user_id, None, user_id, (*links, (record[PREVIOUS_ID], True)), claims=True)
    return Told(user_id, None, user_id, links)


class Routed(NamedTuple):
    """What the events of a bucket tell.

    Attributes:
        known: (profile id `user:...` as sent, event).
        devices: (anonymous id, event, None) of anonymous events; (anonymous id, None, link) of links, each a
            (timestamp, message id, user id, whether it is an alias's).
        last_seen: when each user id was seen last.
        claims: the records of aliases and deletions.
        latest: the latest timestamp; 0 where there is no event.
    """

    known: list[Record]
    devices: list[Record]
    last_seen: dict[str, int]
    claims: list[Record]
    latest: int


def route(records: Iterable[Record], as_of: int | None) -> Routed:
    """Sorts records that stand by what they tell to whom."""
    known: list[Record] = []
    devices: list[Record] = []
    last_seen: dict[str, int] = {}
    claims: list[Record] = []
    latest = 0
    for record in records:
        timestamp = record[TIMESTAMP]
        latest = max(latest, timestamp)
        told = tell(record, as_of)
        if told.device is not None:
            devices.append((told.device, record[:RAW], None))
            continue
        if told.user is not None:
            known.append((f"user:{told.user}", record[:RAW]))
        if told.seen is not None and last_seen.get(told.seen, timestamp) <= timestamp:
            last_seen[told.seen] = timestamp
        for device, is_alias in told.links:
            devices.append((device, None, (timestamp, record[MESSAGE_ID], told.user, is_alias)))
        if told.claims:
            claims.append(record)
    return Routed(known, devices, last_seen, claims, latest)
