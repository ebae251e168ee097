"""From events with their owners to histories: what is erased or refused goes, merged users go to their root. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from schemas.event import MESSAGE_ID, TIMESTAMP, USER_ID
from transforms.identity.plan import IdentityPlan
from transforms.records import Record


class Gathered(NamedTuple):
    """What the events of a bucket come to.

    Attributes:
        histories: the events of each profile, in no defined order.
        merged: (profile id of the root, event) of users that aliases have made one profile: they are gathered again,
            in the root's bucket.
        erased: how many events each deletion (its message id) erased.
    """

    histories: dict[str, list[Record]]
    merged: list[Record]
    erased: Counter[str]


def gather(pairs: Iterable[Record], plan: IdentityPlan, *, regrouped: bool = False) -> Gathered:
    """Gathers (profile id, event) by profile.

    Args:
        pairs: events with the user that they were sent with, or that their device has decided on.
        plan: of all aliases and deletions.
        regrouped: these are the `merged` of a former call.
    """
    found = Gathered({}, [], Counter())
    histories, shared = found.histories, _shared(plan) if not regrouped else frozenset[str]()
    for profile_id, event in pairs:
        if plan.erased and event[USER_ID] is not None:
            deletion = plan.erased_by(event[USER_ID], event[TIMESTAMP])
            if deletion is not None:
                found.erased[deletion] += 1
                continue
        if event[MESSAGE_ID] in plan.refused:
            continue
        if profile_id in shared:
            found.merged.append((f"user:{plan.root(profile_id[5:])}", event))
            continue
        records = histories.get(profile_id)
        if records is None:
            histories[profile_id] = [event]
        else:
            records.append(event)
    return found


def _shared(plan: IdentityPlan) -> frozenset[str]:
    """The profiles of users that aliases have made one with others."""
    return frozenset(f"user:{user}" for user in (*plan.roots, *plan.roots.values()))
