"""Memberships and computed traits of one profile: the rules evaluated at every instant at which anything can change.

What the contract leaves open, decided here: with `reentry_after`, the end of the pause replaces the wait for the rule
to become false after `max_membership`.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from schemas.event import Event
from tests.reference.history import History, Interval
from tests.reference.instants import held_sums, static_instants
from tests.reference.rules import holds, value
from tests.reference.values import as_json
from tests.reference.witness import mentioned, message_ids
from transforms.segments.language import ast

# Memberships that end by the rhythm of others may end long after the last event: rounds of all lengths to wait for it.
ROUNDS = 30


@dataclass(frozen=True, order=True)
class MembershipRow:
    """One row of the memberships table, and the causes of its changes."""

    segment: str
    entered_at: int
    exited_at: int | None
    expires_at: int | None
    message_ids: tuple[str, ...]
    exit_message_ids: tuple[str, ...]
    enter_cause: str
    exit_cause: str | None


@dataclass
class Automaton:
    """Whether the profile is in one segment, and what keeps it out."""

    definition: ast.SegmentDefinition
    current: Interval | None = None
    left_at: int | None = None
    waits_for_false: bool = False

    def step(self, at: int, history: History) -> bool:
        """Brings the membership to an instant. True if it changed."""
        rule = rule_holds(self.definition, at, history)
        if self.current is not None:
            return self._leave(at, rule=rule)
        if not rule:
            self.waits_for_false = False
        if not rule or self.waits_for_false or self._pauses(at):
            return False
        when = self.definition.when
        witnesses = [] if when is None else message_ids(when, at, history)
        self.current = Interval(self.definition.name, at, witnesses)
        history.intervals.append(self.current)
        return True

    def _leave(self, at: int, *, rule: bool) -> bool:
        assert self.current is not None
        limit = self.definition.max_membership
        too_long = limit is not None and at >= self.current.entered_at + limit
        if rule and not too_long:
            return False
        self.waits_for_false = rule and self.definition.reentry_after is None
        self.current.exited_at = self.left_at = at
        self.current = None
        return True

    def _pauses(self, at: int) -> bool:
        pause = self.definition.reentry_after
        return pause is not None and self.left_at is not None and at < self.left_at + pause


def rule_holds(segment: ast.SegmentDefinition, at: int, history: History) -> bool:
    """Whether the profile belongs in a segment at an instant, but for its own pauses and limits."""
    if segment.expires is not None and at >= segment.expires:
        return False
    if not segment.anonymous and history.profile_id.startswith("anon:"):
        return False
    if segment.members is not None:
        return history.profile_id in {f"user:{member}" for member in segment.members}
    assert segment.when is not None
    return holds(segment.when, at, history)


@dataclass
class Simulation:
    """Walks a history from instant to instant."""

    history: History
    as_of: int
    automata: list[Automaton] = field(default_factory=list)

    def run(self) -> None:
        """Finds the memberships: to as_of, then on without new events until those that are open have ended."""
        self.automata = [Automaton(segment) for segment in self.history.definitions.segments]
        others = (instant for _, user in self.history.users for instant in user.instants)
        known = {*static_instants(self.history), *(instant for instant in others if instant >= self.history.begins)}
        self.history.instants = sorted(known)
        horizon = max(self.history.instants[-1], self.as_of) + ROUNDS * self._longest()
        at: int | None = self.history.begins
        while at is not None and at <= horizon and not self._done(at):
            self._step(at)
            later = bisect.bisect_right(self.history.instants, at)
            at = self.history.instants[later] if later < len(self.history.instants) else None

    def _step(self, at: int) -> None:
        for automaton in self.automata:
            if automaton.step(at, self.history):
                segment = automaton.definition
                own = segment.max_membership if automaton.current else segment.reentry_after
                for start in {at, at + (own or 0)}:
                    for delay in held_sums(self.history.definitions):
                        self._insert(start + delay)

    def _insert(self, instant: int) -> None:
        place = bisect.bisect_left(self.history.instants, instant)
        if self.history.instants[place : place + 1] != [instant]:
            self.history.instants.insert(place, instant)

    def _longest(self) -> int:
        segments = self.history.definitions.segments
        limits = sum((segment.max_membership or 0) + (segment.reentry_after or 0) for segment in segments)
        return limits + max(held_sums(self.history.definitions))

    def _done(self, at: int) -> bool:
        return at > self.as_of and not any(
            interval.exited_at is None for interval in self.history.intervals if interval.entered_at <= self.as_of
        )


def simulate(profile_id: str, events: Iterable[Event], definitions: ast.Definitions, as_of: int) -> History | None:
    """The history of a profile with its memberships found; None if it has no event until as_of."""
    history = History.of(profile_id, (event for event in events if event.timestamp <= as_of), definitions)
    if not history.happenings:
        return None
    Simulation(history, as_of).run()
    return history


def memberships(
    profile_id: str, events: Iterable[Event], definitions: ast.Definitions, as_of: int
) -> list[MembershipRow]:
    """The rows of a profile's memberships as of an instant, sorted by segment and entry."""
    history = simulate(profile_id, events, definitions, as_of)
    if history is None:
        return []
    return sorted(row(interval, history, as_of) for interval in history.intervals if interval.entered_at <= as_of)


def row(interval: Interval, history: History, as_of: int) -> MembershipRow:
    """A membership as the table shows it: an end after as_of is only expected."""
    segment = history.segment(interval.segment)
    closed = interval.exited_at is not None and interval.exited_at <= as_of
    exited_at = interval.exited_at if closed else None
    exit_events = mentioned(segment, exited_at, history) if exited_at is not None else []
    starts = interval.entered_at == history.happenings[0].timestamp
    by_event = starts or mentioned(segment, interval.entered_at, history)
    return MembershipRow(
        segment=interval.segment,
        entered_at=interval.entered_at,
        exited_at=exited_at,
        expires_at=None if closed else interval.exited_at,
        message_ids=tuple(interval.message_ids),
        exit_message_ids=tuple(exit_events),
        enter_cause="event" if by_event else "time",
        exit_cause=None if exited_at is None else exit_cause(segment, exited_at, exit_events),
    )


def exit_cause(segment: ast.SegmentDefinition, at: int, exit_events: list[str]) -> str:
    """Why a membership ended."""
    if exit_events:
        return "event"
    return "segment_expired" if at == segment.expires else "time"


def computed(profile_id: str, events: Iterable[Event], definitions: ast.Definitions, as_of: int) -> dict[str, Any]:
    """The computed traits of a profile as of an instant: JSON values by name, null where there is none."""
    history = simulate(profile_id, events, definitions, as_of)
    if history is None:
        return {}
    return {trait.name: as_json(value(trait.value, as_of, history)) for trait in definitions.traits}
