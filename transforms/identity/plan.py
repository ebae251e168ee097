"""What aliases and deletions, all of them together, mean for every other event. Pure.

Erasure comes in between two resolutions (docs/architecture.md): identity with everything tells what belongs to a
deleted profile; what is left of links and aliases tells to whom the rest belongs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from transforms.identity.aliases import DEFAULT_MAX_MERGES, Alias, merge_users
from transforms.identity.links import AFTER, BEFORE, BOTH, DEFAULT_STITCH_WINDOW_US, DeviceLinks, Link


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
        last_seen: previous ids of aliases that occur as a userId -> timestamp of their last event as such.
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
