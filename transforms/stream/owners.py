"""What devices and users have in common: they hold events and decide, one by one, where each belongs.

A decision depends on the event and on a context (links, erasures, the root). While the context stays the same only the
events that came or went are looked at; when it changes all of them are, and the difference is told.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from schemas.event import MESSAGE_ID
from transforms.stream.cell import FactCell, Output, Target, difference
from transforms.stream.facts import DELETED, EVENT, MERGE, Fact, Message, event_of
from transforms.stream.rows import event_row, no_event_row

Erasures = tuple[tuple[int, str], ...]
"""(instant, message id of the deletion), in order."""


Basis = TypeVar("Basis")


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

    _context: Context[Basis] | None = None
    _told: Counter[Target] | None = None

    @abstractmethod
    def make_context(self) -> Context[Basis]:
        """The present context, from the facts that are no events."""

    @abstractmethod
    def decide(self, context: Context[Basis], event: Fact) -> Decision:
        """Where an event belongs."""

    @abstractmethod
    def version_of(self, before: int) -> int:
        """The version of what is said now of an event that came with version `before`."""

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

    def handle(self, messages: Sequence[Message]) -> list[Output]:
        reasons = {message.fact: message.why for message in messages if message.fact[0] == EVENT}
        before = self.context()
        told_before = self.summary(before) if self._told is None else self._told
        versions = {fact: self.facts.version(fact) for fact in reasons}
        self.take(messages)
        if not self.keeps_context([message for message in messages if message.fact[0] != EVENT]):
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
        why = next((message.why for message in reversed(messages) if message.why != EVENT), MERGE)
        return [*difference(told_before, told_after, why), *self._outputs(changes, reasons)]

    def _said(self, context: Context[Basis], fact: Fact, version: int | None) -> tuple[Decision, int] | None:
        return None if version is None else (self.decide(context, event_of(fact)), version)

    def _outputs(
        self,
        changes: Iterable[Change],
        reasons: dict[Fact, str],
    ) -> list[Output]:
        found: list[Output] = []
        for fact, was, now in changes:
            if was == now:
                continue
            why = reasons.get(fact) or (DELETED if now is not None and now[0].owner == "" else MERGE)
            if was is not None:
                found.append(Message(*was[0].target, -1, 0, why))
            if now is None:
                continue
            decision, version = now
            said = self.version_of(version)
            found.append(Message(*decision.target, 1, said, why))
            if decision.owner:
                found.append(event_row(event_of(fact), decision.owner, said))
            elif decision.owner is not None:
                found.append(no_event_row(fact[1 + MESSAGE_ID], said))
        return found
