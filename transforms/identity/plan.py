"""What aliases and deletions, all of them together, mean for every other event. Pure.

Erasure comes in between two resolutions (docs/architecture.md): identity with everything tells what belongs to a
deleted profile; what is left of links and aliases tells to whom the rest belongs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas.event import MESSAGE_ID, PREVIOUS_ID, TIMESTAMP, TYPE, USER_ID
from transforms.identity.aliases import DEFAULT_MAX_MERGES, Alias, merge_users
from transforms.identity.links import AFTER, BEFORE, BOTH, DEFAULT_STITCH_WINDOW_US
from transforms.profiles.rows import Row, merged_profile
from transforms.records import Record


class Deletion(NamedTuple):
    """A delete event."""

    timestamp: int
    message_id: str
    user_id: str


class IdentityPlan(NamedTuple):
    """The few facts that every bucket of events needs. All instants and durations in microseconds.

    Attributes:
        roots: merged user -> the user whose profile took it.
        erased: user -> its profile's deletions, in order, as (instant, message id); alike for all
            users of a profile.
        refused: message id of an alias that merges nothing -> reason.
        merged: the aliases that merged a user, in order.
        as_of: the instant at which everything is told; later events have not happened.
        standing: (message id of an alias, whether it is the link of its previous id, else that of its anonymous id) ->
            in which resolutions that link stands (`Link.stands`).
    """

    roots: dict[str, str]
    erased: dict[str, list[tuple[int, str]]]
    refused: dict[str, str]
    merged: list[Alias]
    standing: Mapping[tuple[str, bool], int]
    as_of: int
    stitch_window_us: int

    def root(self, user_id: str) -> str:
        return self.roots.get(user_id, user_id)

    def stands(self, message_id: str, *, of_previous: bool) -> int:
        """In which resolutions the link stands that an event makes; 0: in none."""
        return self.standing.get((message_id, of_previous), 0 if of_previous else BOTH)

    def erased_by(self, user_id: str, timestamp: int) -> str | None:
        """The deletion (its message id) that erases what belongs to the user at `timestamp`; None: it stays."""
        deletions = self.erased.get(user_id)
        if deletions is None:
            return None
        place = bisect_left(deletions, (timestamp, ""))
        return deletions[place][1] if place < len(deletions) else None


def plan_of(
    claims: Iterable[Record],
    last_seen: Mapping[str, int],
    as_of: int,
    *,
    stitch_window_us: int = DEFAULT_STITCH_WINDOW_US,
    max_merges: int = DEFAULT_MAX_MERGES,
) -> IdentityPlan:
    """The plan that the records of aliases and deletions make (arguments as of `make_plan`)."""
    aliases: list[Alias] = []
    deletions: list[Deletion] = []
    for claim in claims:
        if claim[TYPE] == "alias":
            aliases.append(Alias(claim[TIMESTAMP], claim[MESSAGE_ID], claim[PREVIOUS_ID], claim[USER_ID]))
        else:
            deletions.append(Deletion(claim[TIMESTAMP], claim[MESSAGE_ID], claim[USER_ID]))
    limits = {"stitch_window_us": stitch_window_us, "max_merges": max_merges}
    return make_plan(aliases, deletions, last_seen, as_of, **limits)


def merged_profiles(plan: IdentityPlan) -> list[Row]:
    """The rows of `profiles` that merged users keep."""
    return [merged_profile(f"user:{user}", f"user:{root}", plan.as_of) for user, root in plan.roots.items()]


def make_plan(
    aliases: Iterable[Alias],
    deletions: Iterable[Deletion],
    last_seen: Mapping[str, int],
    as_of: int,
    *,
    stitch_window_us: int = DEFAULT_STITCH_WINDOW_US,
    max_merges: int = DEFAULT_MAX_MERGES,
) -> IdentityPlan:
    """Resolves aliases and deletions.

    Args:
        aliases: all alias events.
        deletions: all delete events.
        last_seen: user ids that occur, those of deletions included -> timestamp of their last event. No other ids are
            asked for than the previous ids of aliases.
        as_of: nothing that is given here is later.
        stitch_window_us: how long before a device's first link its events still become the user's.
        max_merges: how many users one may absorb.
    """
    aliases = list(aliases)
    before = merge_users(aliases, last_seen.__contains__, max_merges)
    plan = IdentityPlan({}, _erased(before.absorbed(), deletions), {}, [], {}, as_of, stitch_window_us)
    kept = [alias for alias in aliases if plan.erased_by(alias.user_id, alias.timestamp) is None]

    def is_user(user_id: str) -> bool:
        return user_id in last_seen and plan.erased_by(user_id, last_seen[user_id]) is None

    after = merge_users(kept, is_user, max_merges) if plan.erased else before
    # An alias in whose way another one stood may stand when that is erased: it is a link only then.
    standing = Counter({(alias.message_id, False): 0 for alias in aliases})
    for when, taken, merges in ((BEFORE, aliases, before), (AFTER, kept, after)):
        standing.update({(alias.message_id, False): when for alias in taken if alias.message_id not in merges.refused})
        standing.update({(alias.message_id, True): when for alias in merges.links})
    return plan._replace(roots=after.absorbed(), refused=after.refused, merged=after.merged, standing=dict(standing))


def _erased(roots: Mapping[str, str], deletions: Iterable[Deletion]) -> dict[str, list[tuple[int, str]]]:
    of_root: dict[str, list[tuple[int, str]]] = {}
    for deletion in deletions:
        of_root.setdefault(roots.get(deletion.user_id, deletion.user_id), []).append(deletion[:2])
    for instants in of_root.values():
        instants.sort()
    erased = dict(of_root)
    for user_id, root in roots.items():
        if root in of_root:
            erased[user_id] = of_root[root]
    return erased
