"""Which profile an event belongs to: contract sections 3 and 5, over the full set of events, by plain search.

What the contract and docs/architecture.md leave open, decided here:

- Events after as_of make no link, merge or deletion; they belong to whom the events until as_of say. A delete event
  after as_of deletes nothing and is an event like others.
- Of links with one key (anonymous_id, user_id, timestamp) the table shows the smallest message_id, but each of their
  events is a link where ties are broken. The user of a link is the one that was sent, not the root of its merges.
- An alias that repeats one which stands is accepted; it merges nothing new. A second user for a previousId is a
  conflict also if the previousId is an anonymous one. Where several faults meet: cycle, conflict, limit, in this order.
- A failed alias is no event: it makes no link, though its userId was seen. When its user's profile is deleted it is
  erased like the others, and so is a failure no longer.
- `max_merges` counts the absorbed user profiles of a group, not its root.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from schemas.event import Event

STITCH_WINDOW_US = 30 * 86_400 * 1_000_000
MAX_MERGES = 100

Link = tuple[str, str, int, str]


@dataclass
class Resolution:
    """Identity resolved. Every event is in exactly one of `profile_of`, `failures` and `erased`.

    `links` holds (anonymous_id, user_id, timestamp, message_id). `merged` names the final root of every merged user
    profile, and the user who took over all events of an anonymous one. `erased` holds message ids, those of the delete
    events included; `deletions` holds (message_id, user_id, timestamp) of the delete events.
    """

    profile_of: dict[str, str] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    links: set[Link] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    deletions: set[tuple[str, str, int]] = field(default_factory=set)


def resolve(
    events: Iterable[Event], as_of: int, stitch_window: int = STITCH_WINDOW_US, max_merges: int = MAX_MERGES
) -> Resolution:
    """Resolves the identity of deduplicated events as of an instant, erasure included."""
    everything = sorted(events, key=lambda event: (event.timestamp, event.message_id))
    deletes = [event for event in everything if event.type == "delete" and event.timestamp <= as_of]
    before = Pass(everything, as_of, stitch_window, max_merges)
    erased = {event.message_id for event in everything if any(before.erases(delete, event) for delete in deletes)}
    erased |= {delete.message_id for delete in deletes}
    left = Pass([event for event in everything if event.message_id not in erased], as_of, stitch_window, max_merges)
    return Resolution(
        profile_of={event.message_id: left.profile(event) for event in left.events},
        merged=left.merged(),
        failures=left.failures,
        links=left.distinct_links(),
        erased=erased,
        deletions={(event.message_id, event.user_id or "", event.timestamp) for event in deletes},
    )


class Pass:
    """Identity of a set of events, without a thought of erasure."""

    def __init__(self, events: Sequence[Event], as_of: int, stitch_window: int, max_merges: int) -> None:
        self.stitch_window = stitch_window
        self.max_merges = max_merges
        self.known = [event for event in events if event.timestamp <= as_of]
        self.users = {event.user_id for event in self.known if event.user_id is not None}
        self.parent: dict[str, str] = {}
        self.alias_user: dict[str, str] = {}
        self.failures: dict[str, str] = {}
        for event in self.known:
            if event.type == "alias":
                self._alias(event)
        self.events = [event for event in events if event.message_id not in self.failures]
        self.links = self._links()

    def _alias(self, event: Event) -> None:
        previous, user = event.previous_id, event.user_id
        if previous is None or user is None:
            return
        reason = self._fault(previous, user)
        if reason is not None:
            self.failures[event.message_id] = reason
            return
        self.alias_user[previous] = user
        if previous in self.users:
            self.parent[previous] = user

    def _fault(self, previous: str, user: str) -> str | None:
        if previous in self.users and self._leads_to(user, previous):
            return "alias_cycle"
        if self.alias_user.get(previous, user) != user:
            return "alias_conflict"
        if previous in self.users and self.parent.get(previous) != user:
            together = self._group(user) | self._group(previous)
            if len(together) - 1 > self.max_merges:
                return "merge_limit"
        return None

    def _leads_to(self, user: str, other: str) -> bool:
        """Whether a user is another, or has merged into it in one or more steps."""
        while user != other and user in self.parent:
            user = self.parent[user]
        return user == other

    def _group(self, user: str) -> set[str]:
        root = self.root(user)
        return {root} | {other for other in self.parent if self.root(other) == root}

    def root(self, user: str) -> str:
        """The user that a user's profile has merged into, transitively."""
        while user in self.parent:
            user = self.parent[user]
        return user

    def _links(self) -> set[Link]:
        found: set[Link] = set()
        for event in self.known:
            if event.message_id in self.failures or event.user_id is None or event.type == "delete":
                continue
            if event.anonymous_id is not None:
                found.add((event.anonymous_id, event.user_id, event.timestamp, event.message_id))
            if event.type == "alias" and event.previous_id is not None and event.previous_id not in self.users:
                found.add((event.previous_id, event.user_id, event.timestamp, event.message_id))
        return found

    def distinct_links(self) -> set[Link]:
        """The links as the table shows them: one per device, user and instant."""
        return {link for link in self.links if not any(link[:3] == other[:3] and other < link for other in self.links)}

    def links_of(self, anonymous_id: str) -> list[Link]:
        """The links on a device, in the order of (timestamp, message_id)."""
        return sorted((link for link in self.links if link[0] == anonymous_id), key=lambda link: (link[2], link[3]))

    def profile(self, event: Event) -> str:
        """The profile that an event belongs to."""
        if event.user_id is not None:
            return f"user:{self.root(event.user_id)}"
        anonymous_id = event.anonymous_id or ""
        links = self.links_of(anonymous_id)
        before = [link for link in links if link[2] <= event.timestamp]
        if before:
            return f"user:{self.root(before[-1][1])}"
        if links and links[0][2] - event.timestamp <= self.stitch_window:
            return f"user:{self.root(links[0][1])}"
        return f"anon:{anonymous_id}"

    def merged(self) -> dict[str, str]:
        """The profiles that others took, and who took them."""
        found = {f"user:{user}": f"user:{self.root(user)}" for user in self.parent}
        anonymous = [event for event in self.known if event.user_id is None and event.anonymous_id is not None]
        for device in {event.anonymous_id or "" for event in anonymous}:
            own = [event for event in anonymous if event.anonymous_id == device]
            links = self.links_of(device)
            taken = all(self.profile(event) != f"anon:{device}" for event in own)
            if links and own[0].timestamp < links[0][2] and taken:
                found[f"anon:{device}"] = self.profile(own[0])
        return found

    def erases(self, delete: Event, event: Event) -> bool:
        """Whether a delete event erases an event: its profile's, and not after it. A failed alias is its user's."""
        deleted = f"user:{self.root(delete.user_id or '')}"
        return event.timestamp <= delete.timestamp and self.profile(event) == deleted
