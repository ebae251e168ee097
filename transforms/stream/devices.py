"""Stage `devices`: one anonymous id, its links and its anonymous events; whose each event is.

An event that is nobody's goes to the profile `anon:...`, a user's to that user; one that belongs to a deleted profile
goes nowhere and is counted. Links and erasures that come later move events: that is the same decision taken again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from schemas.event import MESSAGE_ID, TIMESTAMP
from schemas.tables import IDENTITY_LINKS
from transforms.identity.links import DEFAULT_STITCH_WINDOW_US, Link
from transforms.identity.plan import Device, IdentityPlan
from transforms.stream.cell import Output, RowChanges, Target
from transforms.stream.facts import EVENT, Fact, Message, device_version, event_fact
from transforms.stream.owners import Context, Decision, OwnerCell, as_erasures
from transforms.stream.stages import PROFILES, RECEIPTS, USERS

_LINKS = RowChanges(IDENTITY_LINKS.name, 3)


class _Basis(NamedTuple):
    device: Device | None
    rows: dict[tuple[object, ...], Fact]


class DeviceCell(OwnerCell[_Basis]):
    """Facts: events, ("link", timestamp, message id, user), ("erased", user, instant, message id, ...).

    And ("merge", timestamp, message id, user) of an alias by which this id, a user's, was merged: a row, but no link.
    """

    stitch_window_us = DEFAULT_STITCH_WINDOW_US

    def configure(self, stitch_window_us: int, max_merges: int) -> None:
        self.stitch_window_us = stitch_window_us

    def handle(self, messages: Sequence[Message]) -> list[Output]:
        links_change = any(message.fact[0] != EVENT for message in messages)
        before = self.context() if links_change else None
        found = super().handle(messages)
        if before is None:
            return found
        after = self.context()
        rows_before, rows_after = before.basis.rows, after.basis.rows
        if any(rows_after.get(key) != row for key, row in rows_before.items()):
            self.counter += 1
        return [*found, *_LINKS.updates(rows_before, rows_after, self.counter)]

    def context(self) -> Context[_Basis]:
        links = [Link(*fact[1:]) for fact in self.facts.of("link")]
        rows: dict[tuple[object, ...], Fact] = {}
        for _, timestamp, message_id, user in sorted(self.facts.of("merge"), reverse=True):
            rows[self.key, user, timestamp] = (self.key, user, timestamp, message_id)
        if not links:
            return Context(_Basis(None, rows), Counter())
        erased = {fact[1]: list(as_erasures(fact[2:])) for fact in sorted(self.facts.of("erased"), key=len)}
        plan = IdentityPlan({}, erased, {}, [], frozenset(), 0, self.stitch_window_us)
        device = Device(plan, links)
        for link in device.links:
            row = (self.key, link.user_id, link.timestamp, link.message_id)
            rows[row[:3]] = min(row, rows.get(row[:3], row))
        deletions = [plan.erased_by(link.user_id, link.timestamp) for link in links] if erased else []
        told: Counter[Target] = Counter(
            (RECEIPTS, deletion, ("erased", IDENTITY_LINKS.name)) for deletion in deletions if deletion is not None
        )
        return Context(_Basis(device, rows), told)

    def decide(self, context: Context[_Basis], event: Fact) -> Decision:
        device = context.basis.device
        user, deletion = (None, None) if device is None else device.owner(event[TIMESTAMP])
        if deletion is not None:
            return Decision((RECEIPTS, deletion, ("erased", "events")), "")
        if user is not None:
            return Decision((USERS, user, event_fact(event)), None)
        anonymous = f"anon:{self.key}"
        return Decision((PROFILES, anonymous, event_fact(event)), anonymous)

    def summary(self, context: Context[_Basis]) -> Counter[Target]:
        """Adds the user who took over the whole anonymous profile, if one did."""
        told = context.told.copy()
        device = context.basis.device
        stitched: tuple[int, str, str] | None = None
        for fact in self.facts.of(EVENT) if device is not None else ():
            timestamp, message_id = fact[1 + TIMESTAMP], fact[1 + MESSAGE_ID]
            user, deletion = device.owner(timestamp)  # type: ignore[union-attr]
            if deletion is not None:
                continue
            if user is None:
                return told
            if device.is_stitched(timestamp) and (stitched is None or (timestamp, message_id) < stitched):  # type: ignore[union-attr]
                stitched = (timestamp, message_id, user)
        if stitched is not None:
            told[USERS, stitched[2], ("absorbs", f"anon:{self.key}")] += 1
        return told

    def version_of(self, before: int) -> int:
        return device_version(before, self.counter)
