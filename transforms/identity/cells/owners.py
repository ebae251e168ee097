"""What devices and users have in common: they hold events and decide, one by one, where each belongs.

A decision depends on the event and on a context (links, erasures, the root). While the context stays the same only the
events that came or went are looked at; when it changes all of them are, and the difference is told.

Events that have settled (horizon.py) leave the cell: they were told to their owners, and nothing is derived from them
any more. Where a message may concern one of them, or change the context for all, the cell is first given back what it
has left behind.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec

from schemas.event import MESSAGE_ID, TIMESTAMP
from schemas.instants import LATEST_US
from transforms import counting
from transforms.state.cell import FactCell, Output, Target, difference
from transforms.state.facts import DELETED, EVENT, MERGE, RETRACTION, Fact, Message, event_of
from transforms.state.horizon import Horizon
from transforms.stream.rows import event_update, no_event_row
from transforms.stream.stages import NAMED, PROFILES, TAKEN

Erasures = tuple[tuple[int, str], ...]
"""(instant, message id of the deletion), in order."""


Basis = TypeVar("Basis")
BEHIND = "behind"
"""("behind", instant, ...): up to where facts were left behind, and what has to be known of them."""
_new = tuple.__new__
_ENCODER = msgspec.msgpack.Encoder()
_PAST_DECODER = msgspec.msgpack.Decoder(list[tuple[Fact, int, int]])


class Decision(NamedTuple):
    """Whom an event is told to, and its row's owner: a profile id, "" for no row, None if the next cell writes it."""

    target: Target
    owner: str | None


class Context(NamedTuple, Generic[Basis]):
    """What decisions depend on (`basis`), and what follows whatever the events are."""

    basis: Basis
    told: Counter[Target]


def as_erasures(flat: Sequence[object]) -> Erasures:
    """(instant, message id, instant, ...) -> ((instant, message id), ...)."""
    return tuple(zip(flat[::2], flat[1::2], strict=True))  # type: ignore[arg-type]


def by_length(erased: Fact) -> tuple[int, Fact]:
    """Orders what was told of a user's erasures: the longest is taken while an older one is still to be taken back.

    Of two alike long it is the same whatever order they came in: a cell that was read again must know what it has said.
    """
    return len(erased), erased


def erased_by(erasures: Erasures, timestamp: int) -> str | None:
    """The deletion that erases what belongs to the user at `timestamp`; None: it stays."""
    place = bisect_left(erasures, (timestamp, ""))
    return erasures[place][1] if place < len(erasures) else None


class Change(NamedTuple):
    """What was said of an event and what is said now, with the versions; None: nothing."""

    fact: Fact
    was: tuple[Decision, int] | None
    now: tuple[Decision, int] | None


class OwnerCell(FactCell, Generic[Basis]):
    """A cell of events that are passed on to their owners.

    What follows from the facts that are no events is kept while the cell is in memory: working it out for every bundle
    took a third of the time of a device that is linked with every event.
    """

    horizon: Horizon | None = None
    _context: Context[Basis] | None = None
    _told: Counter[Target] | None = None
    _is_other = False
    has_forgotten = False
    """Whether `leave_behind` has just let something go for good."""

    @abstractmethod
    def make_context(self) -> Context[Basis]:
        """The present context, from the facts that are no events."""

    @abstractmethod
    def decide(self, context: Context[Basis], fact: Fact) -> Decision:
        """Where the event of a fact belongs."""

    def only_owner(self, context: Context[Basis]) -> str | None:
        """The profile to which `decide` gives every event, whichever it is; None: that depends on the event."""
        return None

    @abstractmethod
    def version_of(self, before: int) -> int:
        """The version of what is said now of an event that came with version `before`: more bits of it are set."""

    def context(self) -> Context[Basis]:
        """The present context; the same object while no decision can differ."""
        if self._context is None:
            self._context = self.make_context()
        return self._context

    def keeps_context(self, messages: Sequence[Message]) -> bool:
        """Whether no decision can differ after messages, none of an event, that were taken in just now."""
        return not messages

    def keeps_summary(self, context: Context[Basis], changes: Sequence[Change]) -> bool:
        """Whether `summary` is what it was, after these changes in the same context."""
        return True

    def summary(self, context: Context[Basis]) -> Counter[Target]:
        """What follows from context and events together."""
        return context.told

    # --- what has settled ---------------------------------------------------------------------------------------------

    @abstractmethod
    def concerns_past(self, fact: Fact, until: int) -> bool:
        """Whether a message about a fact may change a decision on an event at or before `until`."""

    @abstractmethod
    def deletions(self) -> dict[str, int]:
        """The deletions that concern the cell: message id -> instant."""

    def old_facts(self, until: int) -> list[tuple[Fact, int, int]]:
        """Takes out the facts that have settled at `until`, but for what is erased: that waits for its end."""
        erased = self._erased_events() if self._may_forget() else {}
        return self.facts.leave_behind(EVENT, lambda fact: bool(fact[1 + TIMESTAMP] <= until) and fact not in erased)

    def will_forget(self) -> bool:
        """Whether it wants to be woken to let go of what is erased, and not only of what has settled."""
        return self._may_forget()

    def _may_forget(self) -> bool:
        return self.horizon is not None and self.horizon.forgets and bool(self.facts.size("erased"))

    def _erased_events(self) -> dict[Fact, int]:
        """The events here that a deletion has erased, with its instant."""
        context, deletions = self.context(), self.deletions()
        said = ((fact, self.decide(context, fact)) for fact in self.facts.of(EVENT))
        return {fact: deletions.get(decision.target[1], 0) for fact, decision in said if decision.owner == ""}

    def _forget_erased(self, until: int) -> None:
        """Lets go for good of what a deletion at or before `until` has erased. It was counted; nobody asks any more."""
        gone = {fact for fact, at in self._erased_events().items() if at <= until} if self._may_forget() else set()
        self.has_forgotten = bool(self.facts.leave_behind(EVENT, gone.__contains__)) if gone else False
        if self.has_forgotten:
            self._told = None
            self._is_other = True

    def times(self) -> list[int]:
        """The instants of the facts that can settle, in order."""
        return sorted(fact[1 + TIMESTAMP] for fact, _, _ in self.facts.counted() if fact[0] == EVENT)

    def known_of(self, gone: Iterable[Fact]) -> Fact:
        """What has to be known of events that are left behind, together with those left before."""
        return ()

    def left_behind(self) -> Fact | None:
        """("behind", instant, ...); None: nothing was left behind."""
        return next(iter(self.facts.of(BEHIND)), None) if self.facts.size(BEHIND) else None

    def needs_past(self, messages: Iterable[Message]) -> bool:
        behind = self.left_behind()
        return behind is not None and any(
            message.fact[2] <= behind[1] if message.fact[0] == TAKEN else self.concerns_past(message.fact, behind[1])
            for message in messages
        )

    def restore(self, past: Iterable[bytes]) -> None:
        """Takes back what was left behind."""
        for part in past:
            self.facts.apply(_PAST_DECODER.decode(part))
        self._become(None)

    def leave_behind(self, until: int) -> tuple[bytes, int] | None:
        """Leaves what has settled at `until`: that, packed, and how many facts; None if it is not worth it."""
        self._forget_erased(until)
        times = self.times()
        if self.horizon is None or len(times) < self.horizon.least or times[(len(times) - 1) // 2] > until:
            self._set_due(until)
            return None
        events = (fact for fact in self.facts.of(EVENT) if fact[1 + TIMESTAMP] <= until)
        behind = (BEHIND, until, *self.known_of(events))
        gone = self.old_facts(until)
        self._become(behind)
        self._set_due(until)
        return _ENCODER.encode(gone), len(gone)

    def _become(self, behind: Fact | None) -> None:
        """Another set of facts, from which the same follows."""
        for fact in self.facts.of(BEHIND):
            self.facts.forget(fact)
        if behind is not None:
            self.facts.take(behind, 1)
        self._context = self._told = None
        self._is_other = True

    def _set_due(self, after: int | None = None) -> None:
        """When half of what can settle will have; not before what settles at `after` does."""
        times = self.times() if self.horizon is not None else []
        self.due = None
        if self.horizon is None:
            return
        if len(times) >= self.horizon.least:
            middle = times[(len(times) - 1) // 2]
            self.due = self.horizon.due(self.key, middle if after is None else max(middle, after + 1))
        erased = self._erased_events().values() if self._may_forget() else ()
        if erased:
            self.due = min(self.horizon.due(self.key, min(erased)), self.due or LATEST_US)

    def pack(self) -> bytes:
        self._is_other = False
        self.facts.settle_changes()
        return super().pack()

    def change(self) -> bytes | None:
        return None if self._is_other else super().change()

    # --- what happens -------------------------------------------------------------------------------------------------

    def _with_events(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Messages that take out an event by its id, with the event; without those whose event is gone for good."""
        if not any(message.fact[0] == TAKEN for message in messages):
            return messages
        events = {fact[1 + MESSAGE_ID]: fact for fact in self.facts.of(EVENT)}
        meant = (m if m.fact[0] != TAKEN else m._replace(fact=events.get(m.fact[1], ())) for m in messages)
        return [message for message in meant if message.fact]

    def handle(self, messages: Sequence[Message]) -> list[Output]:
        messages = self._with_events(messages)
        if self.facts.is_empty():
            return self._begin(messages)
        reasons = {message.fact: message.why for message in messages if message.fact[0] == EVENT}
        before = self.context()
        told_before = self.summary(before) if self._told is None else self._told
        versions = {fact: self.facts.version(fact) for fact in reasons}
        self.take(messages)
        deciding = _deciding(messages)
        keeps = self.keeps_context([message for message in deciding if message.fact[0] != EVENT])
        if not keeps or (len(deciding) < len(messages) and self.facts.size("erased")):
            self._context = None
            for fact in self.facts.of(EVENT):
                if fact not in versions:
                    versions[fact] = self.facts.version(fact)
        after = self.context()
        changes = [
            Change(fact, self._said(before, fact, version), self._said(after, fact, self.facts.version(fact)))
            for fact, version in versions.items()
        ]
        same = after is before and self.keeps_summary(after, changes)
        told_after = self._told = told_before if same else self.summary(after)
        self.counter += any(was is not None and was != now for _, was, now in changes) or bool(told_before - told_after)
        grown = self.due is None and self.horizon is not None and self.facts.size(EVENT, "link") >= self.horizon.least
        is_erased = any(now is not None and now[0].owner == "" for _, _, now in changes)
        if grown or ((is_erased or after is not before) and self._may_forget()):
            self._set_due()
        why = _why(deciding)
        moved = RETRACTION if any(message.why == RETRACTION for message in deciding) else MERGE
        return [*difference(told_before, told_after, why), *self._outputs(changes, reasons, moved)]

    def _begin(self, messages: Sequence[Message]) -> list[Output]:
        """`handle` of a cell that knew nothing: there is nothing to compare with."""
        self.take(messages)
        self._context = None
        context = self.context()
        self._told = self.summary(context)
        found: list[Output] = [*difference(Counter(), self._told, _why(_deciding(messages)))]
        reasons = {message.fact: message.why for message in messages if message.why != EVENT}
        owner = None if reasons else self.only_owner(context)
        if owner is not None:
            self._tell_all(owner, found)
        else:
            for fact, version in self.facts.standing(EVENT):
                decision = self.decide(context, fact)
                self._count((decision, version), 1)
                self._tell(fact, decision, version, reasons.get(fact, EVENT), found)
        if (self.horizon is not None and self.facts.size(EVENT, "link") >= self.horizon.least) or self._may_forget():
            self._set_due()
        return found

    def _tell_all(self, owner: str, found: list[Output]) -> None:
        """`_tell` of all events, which are one profile's. A history may have half a million of them."""
        counter, add, before = self.version_of(0), found.append, len(found)
        for fact, version in self.facts.standing(EVENT):
            said = version | counter
            add(_new(Message, (PROFILES, owner, fact, 1, said, EVENT)))
            add(event_update(event_of(fact), owner, said))
        if len(found) > before:
            self.counted[counting.ACCEPTED] += (len(found) - before) // 2

    def _said(self, context: Context[Basis], fact: Fact, version: int | None) -> tuple[Decision, int] | None:
        return None if version is None else (self.decide(context, fact), version)

    def _count(self, said: tuple[Decision, int] | None, by: int) -> None:
        owner = None if said is None else said[0].owner
        if owner is not None:
            self.counted[counting.ACCEPTED if owner else counting.ERASED] += by

    def _outputs(
        self,
        changes: Iterable[Change],
        reasons: dict[Fact, str],
        moved: str,
    ) -> list[Output]:
        found: list[Output] = []
        for fact, was, now in changes:
            if was == now:
                continue
            self._count(was, -1)
            self._count(now, 1)
            why = reasons.get(fact) or (DELETED if now is not None and now[0].owner == "" else moved)
            if was is not None:
                found.append(Message(*was[0].target, -1, 0, why))
            if now is not None:
                self._tell(fact, *now, why, found)
        return found

    def _tell(self, fact: Fact, decision: Decision, version: int, why: str, found: list[Output]) -> None:
        """Adds what is said of an event from now on."""
        said = self.version_of(version)
        stage, key, told = decision.target
        found.append(Message(stage, key, told, 1, said, why))
        if decision.owner:
            found.append(event_update(event_of(fact), decision.owner, said))
        elif decision.owner is not None:
            found.append(no_event_row(fact[1 + MESSAGE_ID], said))


def _deciding(messages: Sequence[Message]) -> list[Message]:
    """All but those that say only that there is a user of a name."""
    return [message for message in messages if message.fact[0] != NAMED]


def _why(deciding: Sequence[Message]) -> str:
    """What made a cell's links others: the last reason that is more than an event."""
    return next((message.why for message in reversed(deciding) if message.why != EVENT), MERGE)
