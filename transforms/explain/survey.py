"""One rule over many profiles: who is in it, every stay, what other segments its members are in. Pure.

    program = SurveyProgram(question)
    answer = survey(histories, program)        # for each part of the profiles
    whole = merged(answers)

Memberships are made by the same functions as the main job's rows.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any
from zlib import crc32

import orjson

from schemas.event import CONTEXT, NAME, PROPERTIES, TYPE
from transforms.explain.mentioned import Mentioned, Property, concerns, mentioned
from transforms.profiles.rows import Row, membership_row
from transforms.records import Record
from transforms.segments.compiler import compile_program
from transforms.segments.language import ast
from transforms.segments.language.resolve import needed_definitions
from transforms.segments.nodes.state import State
from transforms.segments.program import Program
from transforms.segments.replay import MembershipInterval, intervals_of, run, with_expiry
from transforms.segments.values import path_getter, trait_value

SAMPLE_SIZE = 10


@dataclass(frozen=True, slots=True)
class Rule:
    """A segment, what it refers to, and (for overlaps) what stands beside it."""

    segment: ast.SegmentDefinition
    definitions: ast.Definitions


@dataclass(frozen=True, slots=True)
class Question:
    """What to find out at `as_of`; `against` is another version of the rule."""

    rule: Rule
    against: Rule | None
    as_of: int
    sample_size: int = SAMPLE_SIZE


Example = tuple[int, str, Sequence[Record]]
"""(place in the sample, profile id, events)."""


@dataclass(slots=True)
class Sample:
    """The profiles with the smallest hashes: the same ones however the profiles are split."""

    size: int
    examples: list[Example] = field(default_factory=list)

    def add(self, profile_id: str, events: Sequence[Record], concerns: Callable[[Record], bool]) -> None:
        """Considers a profile; of its events those are kept that concern the rule, and the first."""
        place = crc32(profile_id.encode())
        if len(self.examples) < self.size or (place, profile_id) < self.examples[-1][:2]:
            kept = [event for number, event in enumerate(events) if not number or concerns(event)]
            self.examples = heapq.nsmallest(self.size, [*self.examples, (place, profile_id, kept)], key=_place)

    def __add__(self, other: Sample) -> Sample:
        return Sample(self.size, heapq.nsmallest(self.size, [*self.examples, *other.examples], key=_place))


@dataclass(slots=True)
class Survey:
    """What some profiles come to. Rows are those of the table `memberships`.

    `others`: per other segment its members now, `shared`: those of them that are members here too. `consented`: members
    that have agreed to every purpose. `timers`: most timers that the rule sets for one profile. `occurring` and
    `event_names`: properties and traits that the rule reads, and events, as far as they occur.
    """

    sample_size: int
    profiles: int = 0
    rows: list[Row] = field(default_factory=list)
    against_rows: list[Row] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    shared: Counter[str] = field(default_factory=Counter)
    consented: list[str] = field(default_factory=list)
    timers: int = 0
    event_names: Counter[tuple[str, str]] = field(default_factory=Counter)
    occurring: set[Property | str] = field(default_factory=set)
    members: Sample = field(init=False)
    added: Sample = field(init=False)
    removed: Sample = field(init=False)

    def __post_init__(self) -> None:
        self.members, self.added, self.removed = (Sample(self.sample_size) for _ in range(3))

    def __iadd__(self, other: Survey) -> Survey:
        self.profiles += other.profiles
        self.rows += other.rows
        self.against_rows += other.against_rows
        self.others += other.others
        self.shared += other.shared
        self.consented += other.consented
        self.timers = max(self.timers, other.timers)
        self.event_names += other.event_names
        self.occurring |= other.occurring
        self.members += other.members
        self.added += other.added
        self.removed += other.removed
        return self

    def sort(self) -> None:
        """Puts rows in the order of their keys."""
        self.rows.sort(key=lambda row: (row[0], row[2]))
        self.against_rows.sort(key=lambda row: (row[0], row[2]))
        self.consented.sort()


def _place(example: Example) -> tuple[int, str]:
    return example[:2]


def survey(histories: Iterable[tuple[str, Sequence[Record]]], question: Question) -> Survey:
    """Evaluates the rule, and the version it is held against, for every history."""
    found = Survey(question.sample_size)
    surveyor = _Surveyor(question, found)
    for profile_id, events in histories:
        surveyor.take(profile_id, events)
    return found


def merged(parts: Iterable[Survey], sample_size: int) -> Survey:
    """The survey of all profiles from those of some."""
    whole = Survey(sample_size)
    whole = reduce(Survey.__iadd__, parts, whole)
    whole.sort()
    return whole


class _Surveyor:
    """Compiled once for many profiles."""

    def __init__(self, question: Question, found: Survey) -> None:
        rule, against = question.rule, question.against
        self._found = found
        self._as_of = question.as_of
        self._segment = rule.segment
        others = frozenset(segment.name for segment in rule.definitions.segments) | {rule.segment.name}
        self._program = compile_program(needed_definitions(rule.definitions, others))
        self._against_name = against.segment.name if against is not None else ""
        self._against = (
            compile_program(needed_definitions(against.definitions, frozenset({against.segment.name})))
            if against is not None
            else None
        )
        read = mentioned(needed_definitions(rule.definitions, frozenset({rule.segment.name})))
        self._reads = [read] if against is None else [read, mentioned(against.definitions)]
        self._occurrences = Occurrences(read, found)

    def take(self, profile_id: str, events: Sequence[Record]) -> None:
        found, name = self._found, self._segment.name
        found.profiles += 1
        self._occurrences.look_for(events)
        state, intervals = _stays(self._program, profile_id, events, self._as_of)
        current = {interval.segment for interval in intervals if interval.exited_at is None}
        own = [interval for interval in intervals if interval.segment == name]
        found.timers = max(found.timers, sum(node in self._program.reads[name] for node in state.due))
        self._occurrences.look_for_traits(state.traits)
        own = with_expiry(self._program, state, own)
        version = self._program.versions[name]
        found.rows += [membership_row(profile_id, interval, version, self._as_of) for interval in own]
        member = name in current
        for other in current - {name}:
            found.others[other] += 1
            found.shared[other] += member
        if member:
            found.members.add(profile_id, events, self._concerns)
            if has_consent(state.traits, self._segment.consent):
                found.consented.append(profile_id)
        if self._against is not None:
            was_member = self._take_against(self._against, profile_id, events)
            if member != was_member:
                (found.added if member else found.removed).add(profile_id, events, self._concerns)

    def _concerns(self, event: Record) -> bool:
        return any(concerns(read, event) for read in self._reads)

    def _take_against(self, program: Program, profile_id: str, events: Sequence[Record]) -> bool:
        name = self._against_name
        state, intervals = _stays(program, profile_id, events, self._as_of)
        own = with_expiry(program, state, [interval for interval in intervals if interval.segment == name])
        version = program.versions[name]
        self._found.against_rows += [membership_row(profile_id, interval, version, self._as_of) for interval in own]
        return any(interval.exited_at is None for interval in own)


class Occurrences:
    """Notes which of the events, properties and traits that a rule reads occur; compiled once for many profiles."""

    def __init__(self, read: Mentioned, found: Survey) -> None:
        self._found = found
        self._pending: dict[tuple[str, str], list[tuple[Property, Any]]] = {}
        for wanted in read.properties:
            self._pending.setdefault((wanted.type, wanted.name), []).append((wanted, path_getter(wanted.path)))
        self._pending_traits = set(read.traits)

    def look_for(self, events: Sequence[Record]) -> None:
        """Counts events by name, and notes which of the properties that the rule reads occur."""
        pending = self._pending
        names = [(event[TYPE], event[NAME]) for event in events]
        self._found.event_names.update(names)
        if not pending or pending.keys().isdisjoint(names):
            return
        for event, name in zip(events, names, strict=True):
            for wanted, get in pending.get(name, ()):
                text = event[PROPERTIES] if wanted.source == "properties" else event[CONTEXT]
                if text is not None and get(orjson.loads(text)) not in (None, []):
                    self._found.occurring.add(wanted)
            if name in pending:
                pending[name] = [pair for pair in pending[name] if pair[0] not in self._found.occurring]
                if not pending[name]:
                    del pending[name]

    def look_for_traits(self, traits: dict[str, Any]) -> None:
        """Notes which of the traits that the rule reads are there."""
        if self._pending_traits and traits:
            seen = {path for path in self._pending_traits if trait_value(traits, path) not in (None, [])}
            self._found.occurring |= seen
            self._pending_traits -= seen


def _stays(
    program: Program, profile_id: str, events: Sequence[Record], as_of: int
) -> tuple[State, list[MembershipInterval]]:
    state = State(profile_id)
    run(program, state, events, as_of)
    return state, list(intervals_of(state.changes))


def has_consent(traits: dict[str, Any], purposes: Iterable[str]) -> bool:
    """Whether the profile has agreed to every purpose: `consent.<purpose>` is true. Missing is no."""
    return all(trait_value(traits, f"consent.{purpose}") is True for purpose in purposes)
