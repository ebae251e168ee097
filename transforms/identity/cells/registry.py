"""Stage `registry`: all aliases and deletions in one cell, resolved together whenever one of them comes.

There are few of them, and each can concern any other. What they mean is told to those whom it concerns: to users their
root and their erasures, to devices the links that aliases make. An alias is an event of its user unless it is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.event import ANONYMOUS_ID, MESSAGE_ID, PREVIOUS_ID, TIMESTAMP, USER_ID
from transforms import counting
from transforms.identity.aliases import DEFAULT_MAX_MERGES, Alias, refusal
from transforms.identity.plan import Deletion, IdentityPlan, make_plan
from transforms.state.cell import FactCell, Output, Target, difference
from transforms.state.facts import (
    DELETED,
    EVENT,
    MERGE,
    RETRACTION,
    Fact,
    Message,
    device_version,
    event_fact,
    event_of,
)
from transforms.stream.rows import no_event_row
from transforms.stream.stages import DEVICES, LINKS, RECEIPTS, USERS, failure_targets, link_targets


@dataclass(slots=True)
class _Told:
    """What follows from the facts. `events`: aliases that are events -> version; `erased`: users with deletions.

    `refused`: how many aliases are, by reason.
    """

    targets: Counter[Target]
    events: dict[Fact, int]
    refused: Counter[str]
    erased: frozenset[str]

    @property
    def outcomes(self) -> Counter[str]:
        """What is counted: aliases that failed, deletions (`erased`, as the events that they erase)."""
        found = Counter({counting.FAILED + reason: count for reason, count in self.refused.items()})
        found[counting.ERASED] = sum(count for (stage, _, _), count in self.targets.items() if stage == RECEIPTS)
        return found


class RegistryCell(FactCell):
    """Facts: ("alias", record...), ("delete", timestamp, message id, user), ("name", id, last seen)."""

    max_merges = DEFAULT_MAX_MERGES

    def configure(self, stitch_window_us: int, max_merges: int) -> None:
        self.max_merges = max_merges

    _last: _Told | None = None

    def handle(self, messages: Sequence[Message]) -> list[Output]:
        before = self._last or self._told()
        names = {message.fact[1] for message in messages if message.fact[0] == "name"}
        only_names = all(message.fact[0] == "name" for message in messages) and names <= self._names()
        self.take(messages)
        if only_names and names <= self._names() and names.isdisjoint(before.erased):
            # A user who was seen once more is still a user. It matters only where a deletion may have ended that.
            self._last = before
            return []
        after = self._last = self._told()
        gone = (before.targets - after.targets) or before.events.items() - after.events.items()
        self.counter += bool(gone)
        self.counted.update(after.outcomes)
        self.counted.subtract(before.outcomes)
        came = {message.fact[0] for message in messages}
        retracted = any(message.why == RETRACTION for message in messages)
        why = DELETED if "delete" in came else RETRACTION if retracted else MERGE
        return [
            *difference(before.targets, after.targets, why),
            *self._events(before, after, why),
            *self._deletions(messages),
        ]

    def _names(self) -> set[str]:
        return {fact[1] for fact in self.facts.of("name")}

    def _events(self, before: _Told, after: _Told, why: str) -> list[Output]:
        """Aliases that have become events, or have ceased to be any."""
        found: list[Output] = []
        known = {fact: self.facts.version(fact) for fact in self.facts.of("alias")}
        for alias, version in before.events.items():
            if after.events.get(alias) != version:
                found.append(Message(USERS, alias[1 + USER_ID], event_fact(event_of(alias)), -1, 0, why))
        for alias, version in after.events.items():
            if before.events.get(alias) != version:
                said = device_version(version, self.counter)
                found.append(Message(USERS, alias[1 + USER_ID], event_fact(event_of(alias)), 1, said, EVENT))
        for alias, known_version in known.items():
            if alias not in after.events and known_version is not None:
                found.append(no_event_row(alias[1 + MESSAGE_ID], device_version(known_version, self.counter)))
        return found

    @staticmethod
    def _deletions(messages: Sequence[Message]) -> list[Output]:
        """A deletion that takes the place of an event with its message id takes the event's row away."""
        return [
            no_event_row(message.fact[2], message.version)
            for message in messages
            if message.fact[0] == "delete" and message.sign > 0 and message.version
        ]

    def _plan(self) -> IdentityPlan:
        aliases = [
            Alias(fact[1 + TIMESTAMP], fact[1 + MESSAGE_ID], fact[1 + PREVIOUS_ID], fact[1 + USER_ID])
            for fact in self.facts.of("alias")
        ]
        deletions = [Deletion(*fact[1:]) for fact in self.facts.of("delete")]
        last_seen: dict[str, int] = {}
        for _, name, last in self.facts.of("name"):
            last_seen[name] = max(last, last_seen.get(name, last))
        return make_plan(aliases, deletions, last_seen, 0, max_merges=self.max_merges)

    def _told(self) -> _Told:
        plan = self._plan()
        told = _Told(Counter(), {}, Counter(), frozenset(plan.erased))
        for user, root in plan.roots.items():
            told.targets[USERS, user, ("root", root)] += 1
        for user, deletions in plan.erased.items():
            erased = tuple(part for deletion in deletions for part in deletion)
            told.targets[USERS, user, ("erased", *erased)] += 1
            told.targets[LINKS, user, ("erased", *erased)] += 1
        for _, timestamp, message_id, user in self.facts.of("delete"):
            told.targets[RECEIPTS, message_id, ("request", timestamp, user)] += 1
        for alias in self.facts.of("alias"):
            self._tell_alias(alias, plan, told)
        for merged in plan.merged:
            # The cell of the previous id writes the row: it may have others with the same key.
            row = ("merge", merged.timestamp, merged.message_id, merged.user_id)
            told.targets[DEVICES, merged.previous_id, row] += 1
        return told

    def _tell_alias(self, alias: Fact, plan: IdentityPlan, told: _Told) -> None:
        event = event_of(alias)
        timestamp, message_id, user = event[TIMESTAMP], event[MESSAGE_ID], event[USER_ID]
        reason = plan.refused.get(message_id)
        for of_previous, device in ((False, event[ANONYMOUS_ID]), (True, event[PREVIOUS_ID])):
            stands = plan.stands(message_id, of_previous=of_previous)
            if device is not None and stands:
                told.targets.update(link_targets(device, timestamp, message_id, user, stands))
        if reason is None:
            told.events[alias] = self.facts.version(alias) or 0
            return
        told.refused[reason] += 1
        told.targets.update(failure_targets(refusal(alias[1:], reason)))
