"""One rule over many profiles: who is in it, every stay, what other segments its members are in. Pure.

    answer = survey(parts, question)           # for each bucket of profiles
    whole = merged(answers, sample_size)

Evaluated as the batch does it, on columns, and told in the main job's rows.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa

from transforms.columns.events import records_of
from transforms.explain.mentioned import Property, concerns, mentioned, reads
from transforms.explain.occurrences import Occurrences
from transforms.explain.question import Question, Rule
from transforms.explain.timers import Timers
from transforms.profiles.columns import OrderedEvents, histories
from transforms.profiles.normalize.columns import DEVICE_TYPE
from transforms.profiles.rows import Row
from transforms.profiles.table_columns import membership_columns, naming_devices
from transforms.records import Record
from transforms.segments.history import (
    NO_INSTANT,
    Evaluated,
    Flags,
    Histories,
    Integers,
    compile_history,
    evaluate,
    rows_by_pair,
    stays_where,
)
from transforms.segments.language import ast
from transforms.segments.language.resolve import needed_definitions
from transforms.segments.values import trait_value

Example = tuple[int, str, Sequence[Record]]
"""(place in the sample, profile id, events)."""


@dataclass(slots=True)
class Sample:
    """The profiles with the smallest hashes: the same ones however the profiles are split."""

    size: int
    examples: list[Example] = field(default_factory=list)

    def add(self, profile_id: str, events: Callable[[], Sequence[Record]]) -> None:
        """Considers a profile; `events` are asked for if it is taken."""
        place = crc32(profile_id.encode())
        if len(self.examples) < self.size or (place, profile_id) < self.examples[-1][:2]:
            self.examples = heapq.nsmallest(self.size, [*self.examples, (place, profile_id, events())], key=_place)

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


def survey(parts: Iterable[OrderedEvents], question: Question) -> Survey:
    """Evaluates the rule, and the version it is held against, for all profiles of some parts, until `as_of`."""
    found = Survey(question.sample_size)
    surveyor = _Surveyor(question, found)
    for part in parts:
        surveyor.take(part)
    found.event_names, found.occurring = surveyor.occurrences.event_names, surveyor.occurrences.seen
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
        rule, against, self._as_of = question.rule, question.against, question.as_of
        self._found = found
        beside = frozenset(segment.name for segment in rule.definitions.segments)
        self._rule = _Evaluator(rule, needed_definitions(rule.definitions, beside), self._as_of)
        self._against = None if against is None else _Evaluator(against, against.needed, self._as_of)
        self._timers = Timers(rule, self._as_of)
        read = mentioned(rule.needed)
        self._reads = [read] if against is None else [read, mentioned(against.definitions)]
        self.occurrences = Occurrences(read)

    def take(self, part: OrderedEvents) -> None:
        """Adds some profiles."""
        found, told = self._found, histories(part)
        pairs = rows_by_pair(told)
        events_of = partial(self._events, part, self._concerned(told, pairs))
        found.profiles += len(part.profile_ids)
        evaluated = self._rule.evaluate(told)
        self.occurrences.look_for(told, pairs)
        self.occurrences.look_for_traits(evaluated.traits)
        found.timers = self._timers.most(told, pairs, events_of, found.timers)
        found.rows += self._rule.rows(told, evaluated)
        here = self._rule.members(evaluated)
        self._compare_with_others(evaluated, here)
        _add(found.members, part, here, events_of)
        consent = self._rule.segment.consent
        for profile in np.flatnonzero(here).tolist():
            if has_consent(evaluated.traits[profile], consent):
                found.consented.append(part.profile_ids[profile])
        if self._against is not None:
            was = self._against.evaluate(told)
            found.against_rows += self._against.rows(told, was)
            there = self._against.members(was)
            _add(found.added, part, here & ~there, events_of)
            _add(found.removed, part, there & ~here, events_of)

    def _compare_with_others(self, evaluated: Evaluated, here: Flags) -> None:
        lasting = evaluated.exited_at == NO_INSTANT
        segment, profile = evaluated.segment[lasting], evaluated.profile[lasting]
        for place, name in enumerate(self._rule.names):
            if name != self._rule.segment.name:
                members = profile[segment == place]
                self._found.others[name] += len(members)
                self._found.shared[name] += int(here[members].sum())

    def _concerned(self, told: Histories, pairs: Mapping[tuple[str, str], Integers]) -> Flags:
        """Which events can matter to the rule, and which may because they name a device."""
        found = np.zeros(len(told.profile), bool)
        for pair, rows in pairs.items():
            found[rows] = any(reads(read, *pair) for read in self._reads)
        if any(DEVICE_TYPE in read.columns for read in self._reads):
            found |= naming_devices(told.context)
        return found

    def _events(self, part: OrderedEvents, concerned: Flags, profile: int) -> list[Record]:
        """A profile's events that concern the rule, and its first."""
        first, end = part.rows_of(profile)
        rows = np.flatnonzero(concerned[first:end]) + first
        if not concerned[first]:
            rows = np.append(first, rows)
        start, *others = records_of(part.events.take(pa.array(rows)))
        return [start, *(event for event in others if any(concerns(read, event) for read in self._reads))]


def _add(sample: Sample, part: OrderedEvents, profiles: Flags, events_of: Callable[[int], Sequence[Record]]) -> None:
    for profile in np.flatnonzero(profiles).tolist():
        sample.add(part.profile_ids[profile], partial(events_of, profile))


class _Evaluator:
    """One version of the rule, among definitions that hold all that it needs."""

    def __init__(self, rule: Rule, definitions: ast.Definitions, as_of: int) -> None:
        self.segment = rule.segment
        self._program = compile_history(definitions)
        self._segments = self._program.definitions.segments
        self.names = [segment.name for segment in self._segments]
        self._place = self.names.index(rule.segment.name)
        self._as_of = as_of

    def evaluate(self, told: Histories) -> Evaluated:
        return evaluate(self._program, told, self._as_of)

    def members(self, evaluated: Evaluated) -> Flags:
        """Which profiles are in it, by their places."""
        found = np.zeros(len(evaluated.traits), bool)
        found[evaluated.profile[(evaluated.segment == self._place) & (evaluated.exited_at == NO_INSTANT)]] = True
        return found

    def rows(self, told: Histories, evaluated: Evaluated) -> Iterator[Row]:
        """Rows of `memberships`."""
        own = stays_where(evaluated, evaluated.segment == self._place)
        columns = membership_columns(told, own, self._segments, self._as_of)
        return zip(*(column.to_pylist() for column in columns), strict=True)


def has_consent(traits: dict[str, Any], purposes: Iterable[str]) -> bool:
    """Whether the profile has agreed to every purpose: `consent.<purpose>` is true. Missing is no."""
    return all(trait_value(traits, f"consent.{purpose}") is True for purpose in purposes)
