"""What a profile's events come to now, what an event can change of it, and when it changes next by itself. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from schemas.event import CONTEXT, NAME, TYPE
from transforms.accounts.rules import compile_accounts
from transforms.profiles.normalize.columns import DEVICE_TYPE
from transforms.profiles.normalize.device import device_type_of
from transforms.profiles.stay_list import StayKey
from transforms.records import Record
from transforms.segments.comparisons import NEVER
from transforms.segments.compiler import compile_program
from transforms.segments.language import ast
from transforms.segments.nodes.state import State
from transforms.segments.nodes.streams import StreamNode
from transforms.segments.program import Program
from transforms.segments.replay import MembershipInterval


class Rules:
    """Definitions, compiled: those of people, with what tells them from others, and those of accounts."""

    def __init__(self, definitions: ast.Definitions) -> None:
        self.definitions = definitions
        self.program = compile_program(definitions)
        self.accounts = compile_accounts(definitions)
        self.versions = self.program.versions
        self.account_versions = self.accounts.account.versions
        names = [f"segment {item.name} {item.version}" for item in self.program.definitions.segments]
        names += [f"trait {item.name} {item.version}" for item in self.program.definitions.traits]
        self.fingerprint = hashlib.sha256("\0".join(sorted(names)).encode()).hexdigest()[:16]


@dataclass(slots=True)
class Summary:
    """What the row of a profile tells of its events. Instants in microseconds."""

    first_seen_at: int
    last_seen_at: int
    event_count: int
    anonymous_ids: list[str]


@dataclass(slots=True)
class Evaluation:
    """What a profile comes to.

    `touched` are the stays that may differ from those told before (None: never was), `members` the segments it is in,
    `typed` the typed columns of its row, `traits` and `computed` JSON; `due` is the next instant at which anything
    changes without an event, None: never.
    """

    summary: Summary
    touched: dict[StayKey, MembershipInterval | None]
    members: list[str]
    typed: tuple[Any, ...]
    traits: bytes
    computed: bytes
    due: int | None


class Concerned(NamedTuple):
    """What may change by some events: the ends of stays in `segments`, the traits that are `computed`, traits."""

    segments: frozenset[str]
    computed: frozenset[str]
    traits: bool


class Concerns:
    """What each kind of event can change; most kinds concern one rule or none."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._known: dict[tuple[str, str, bool], Concerned] = {}
        self._reads_device = DEVICE_TYPE in program.column_nodes
        self.everything = Concerned(frozenset(program.reads), frozenset(program.computed), traits=True)
        self._nothing = Concerned(frozenset(), frozenset(), traits=False)
        self._lazy = {
            name: node
            for name, (node, _) in program.computed.items()
            if isinstance(node, StreamNode) and not node.dependents
        }

    def of(self, records: Sequence[Record]) -> Concerned:
        """What the events may change together."""
        if not records:
            return self._nothing
        kinds = {
            (
                record[TYPE],
                record[NAME] if record[TYPE] != "identify" else "",
                self._reads_device and device_type_of(record[CONTEXT]) is not None,
            )
            for record in records
        }
        found = [self._of_kind(kind) for kind in kinds]
        if len(found) == 1:
            return found[0]
        segments = frozenset[str]().union(*(one.segments for one in found))
        computed = frozenset[str]().union(*(one.computed for one in found))
        return Concerned(segments, computed, any(one.traits for one in found))

    def _of_kind(self, kind: tuple[str, str, bool]) -> Concerned:
        known = self._known.get(kind)
        if known is None:
            program = self._program
            is_identify = kind[0] == "identify"
            if is_identify:
                readers = (*program.trait_nodes.values(), *program.column_nodes.values())
                nodes = {node.id for of_one in readers for node in of_one}
            else:
                nodes = {node.id for node, _ in program.route(kind[0], kind[1])}
            if kind[2]:
                nodes |= {node.id for node in program.column_nodes[DEVICE_TYPE]}
            segments = frozenset(name for name, reads in program.reads.items() if not nodes.isdisjoint(reads))
            computed = frozenset(name for name, reads in program.computed_reads.items() if not nodes.isdisjoint(reads))
            known = self._known[kind] = Concerned(segments, computed, is_identify)
        return known

    def computed_due(self, state: State, name: str) -> int:
        """The next instant at which a computed trait, read just now, can change by itself; NEVER: there is none."""
        due, lazy = state.due, self._lazy.get(name)
        if lazy is None:
            return min((due[node] for node in self._program.computed_reads[name] if node in due), default=NEVER)
        # A stream that no rule reads sets no timers: its value is worked out when it is asked for.
        pending, active, sums = state.cells.get(lazy.id) or ((), (), None)
        begins = pending[0][0] + lazy.selection.start if pending else NEVER
        if not active or lazy.selection.end == NEVER:
            return begins
        return min(begins, lazy.accumulator.next_to_change(active, sums) + lazy.selection.end)


@lru_cache(maxsize=4)
def concerns_of(program: Program) -> Concerns:
    """The one of a program."""
    return Concerns(program)
