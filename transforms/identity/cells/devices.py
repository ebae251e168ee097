"""Stage `devices`: one anonymous id, its links and its anonymous events; whose each event is.

An event that is nobody's goes to the profile `anon:...`, a user's to that user; one that belongs to a deleted profile
goes nowhere and is counted. Links and erasures that come later move events: that is the same decision taken again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.event import MESSAGE_ID, TIMESTAMP
from schemas.tables import IDENTITY_LINKS
from transforms.identity.cells.owners import Change, Context, Decision, OwnerCell, as_erasures, by_length
from transforms.identity.devices import Device, erased_links
from transforms.identity.links import BOTH, DEFAULT_STITCH_WINDOW_US, Link
from transforms.identity.plan import IdentityPlan
from transforms.state.cell import Output, RowChanges, Target
from transforms.state.facts import EVENT, Fact, Message, device_version
from transforms.stream.stages import NAMED, PROFILES, RECEIPTS, USERS, failure_erased

_LINKS = RowChanges(IDENTITY_LINKS.name, 3)


class _Basis(NamedTuple):
    device: Device | None
    rows: dict[tuple[object, ...], Fact]


class DeviceCell(OwnerCell[_Basis]):
    """Facts: events, ("link", timestamp, message id, user), ("erased", user, instant, message id, ...).

    A link that does not stand in BOTH resolutions has `Link.stands` for a fifth value.
    And ("merge", timestamp, message id, user) of an alias by which this id, a user's, was merged: a row, but no link;
    ("named", failure, instant or None) of records that failed and name the device.
    """

    stitch_window_us = DEFAULT_STITCH_WINDOW_US
    _has_own = False
    """Whether the last summary found an event that is nobody's."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self._rows_added: dict[tuple[object, ...], Fact] = {}

    def configure(self, stitch_window_us: int, max_merges: int) -> None:
        self.stitch_window_us = stitch_window_us

    def handle(self, messages: Sequence[Message]) -> list[Output]:
        before = self.context().basis.rows
        self._rows_added = {}
        found = super().handle(messages)
        after = self.context().basis.rows
        if after is before:
            return [*found, *_LINKS.updates({}, self._rows_added, self.counter)]
        if any(after.get(key) != row for key, row in before.items()):
            self.counter += 1
        return [*found, *_LINKS.updates(before, after, self.counter)]

    def make_context(self) -> Context[_Basis]:
        links = [Link(*fact[1:]) for fact in self.facts.of("link")]
        rows: dict[tuple[object, ...], Fact] = {}
        for _, timestamp, message_id, user in sorted(self.facts.of("merge"), reverse=True):
            rows[self.key, user, timestamp] = (self.key, user, timestamp, message_id)
        if not links:
            return Context(_Basis(None, rows), Counter())
        erased = {fact[1]: list(as_erasures(fact[2:])) for fact in sorted(self.facts.of("erased"), key=by_length)}
        plan = IdentityPlan({}, erased, {}, [], {}, 0, self.stitch_window_us)
        device = Device(plan, links)
        for link in device.links:
            row = self._row(link)
            rows[row[:3]] = min(row, rows.get(row[:3], row))
        told: Counter[Target] = Counter(
            {
                (RECEIPTS, name, ("erased", IDENTITY_LINKS.name)): count
                for name, count in erased_links(links, plan).items()
            }
        )
        for fact in self.facts.of(NAMED) if erased else ():
            if device.erases(fact[2]):
                told[failure_erased(fact, max(instant for of_user in erased.values() for instant, _ in of_user))] += 1
        return Context(_Basis(device, rows), told)

    def keeps_context(self, messages: Sequence[Message]) -> bool:
        """As long as there are only more links of users whose device it is at that instant anyway."""
        device, rows = self.context().basis
        if not messages or device is None:
            return not messages
        if any(one.fact[0] != "link" or one.sign < 0 or self.facts.count(one.fact) != 1 for one in messages):
            return False
        added = [Link(*message.fact[1:]) for message in messages]
        keys = {self._row(link)[:3] for link in added}
        if len(keys) < len(added) or not keys.isdisjoint(rows) or not all(map(device.confirms, added)):
            return False
        for link in added:
            device.add(link)
            row = self._row(link)
            rows[row[:3]] = self._rows_added[row[:3]] = row
        return True

    def keeps_summary(self, context: Context[_Basis], changes: Sequence[Change]) -> bool:
        device = context.basis.device
        if device is None:
            return True
        if any(was is not None and now is None for _, was, now in changes):
            return False
        return self._has_own or not any(
            device.is_stitched(fact[1 + TIMESTAMP]) or (now is not None and now[0].owner) for fact, _, now in changes
        )

    def _row(self, link: Link) -> Fact:
        return self.key, link.user_id, link.timestamp, link.message_id

    def decide(self, context: Context[_Basis], fact: Fact) -> Decision:
        device = context.basis.device
        user, deletion = (None, None) if device is None else device.owner(fact[1 + TIMESTAMP])
        if deletion is not None:
            return Decision((RECEIPTS, deletion, ("erased", "events")), "")
        if user is not None:
            return Decision((USERS, user, fact), None)
        anonymous = f"anon:{self.key}"
        return Decision((PROFILES, anonymous, fact), anonymous)

    def only_owner(self, context: Context[_Basis]) -> str | None:
        return f"anon:{self.key}" if context.basis.device is None else None

    def summary(self, context: Context[_Basis]) -> Counter[Target]:
        """Adds the user who took over the whole anonymous profile, if one did."""
        told = context.told.copy()
        device = context.basis.device
        self._has_own = False
        stitched: tuple[int, str, str] | None = None
        behind = self.left_behind()
        if behind is not None and device is not None:
            self._has_own, stitched = bool(behind[2]), behind[3:] or None
            if self._has_own:
                return told
        for fact in self.facts.of(EVENT) if device is not None else ():
            timestamp, message_id = fact[1 + TIMESTAMP], fact[1 + MESSAGE_ID]
            user, deletion = device.owner(timestamp)  # type: ignore[union-attr]
            if deletion is not None:
                continue
            if user is None:
                self._has_own = True
                return told
            if device.is_stitched(timestamp) and (stitched is None or (timestamp, message_id) < stitched):  # type: ignore[union-attr]
                stitched = (timestamp, message_id, user)
        if stitched is not None:
            told[USERS, stitched[2], ("absorbs", f"anon:{self.key}")] += 1
        return told

    # --- what has settled ---------------------------------------------------------------------------------------------

    def concerns_past(self, fact: Fact, until: int) -> bool:
        if fact[0] == EVENT:
            return bool(fact[1 + TIMESTAMP] <= until)
        # A later link can neither be the latest one before an event nor the first one after it, in the stitch window.
        # A device that an erasure concerns has all its links, and no other asks whom a failed record names.
        return fact[0] not in ("link", NAMED) or bool(fact[0] == "link" and fact[1] <= until + self.stitch_window_us)

    def times(self) -> list[int]:
        links = [] if self._keeps_links() else [fact[1] for fact in self.facts.of("link")]
        return sorted([*super().times(), *links])

    def old_facts(self, until: int) -> list[tuple[Fact, int, int]]:
        """Also links: of those at or before `until` only the latest is asked for, by the events after it.

        A device that an erasure concerns keeps its links: each may be counted as erased.
        """
        gone = super().old_facts(until)
        old = sorted(Link(*fact[1:]) for fact in self.facts.of("link") if fact[1] <= until)
        if not old or self._keeps_links():
            return gone
        latest = old[-1]
        return gone + self.facts.leave_behind("link", lambda fact: fact[1] <= until and Link(*fact[1:]) != latest)

    def deletions(self) -> dict[str, int]:
        return {name: at for fact in self.facts.of("erased") for at, name in as_erasures(fact[2:])}

    def _keeps_links(self) -> bool:
        return bool(self.facts.of("erased")) or any(Link(*fact[1:]).stands != BOTH for fact in self.facts.of("link"))

    def known_of(self, gone: Iterable[Fact]) -> Fact:
        """(whether one is nobody's, time, id and user of the first that came before the device's first link)."""
        device, behind = self.context().basis.device, self.left_behind()
        has_own, stitched = (False, ()) if behind is None else (bool(behind[2]), behind[3:])
        for fact in gone:
            timestamp, message_id = fact[1 + TIMESTAMP], fact[1 + MESSAGE_ID]
            user, deletion = (None, None) if device is None else device.owner(timestamp)
            has_own = has_own or (user is None and deletion is None)
            if user is not None and device is not None and device.is_stitched(timestamp):
                stitched = min(stitched or (timestamp, message_id, user), (timestamp, message_id, user))
        return int(has_own), *stitched

    def version_of(self, before: int) -> int:
        return device_version(before, self.counter)
