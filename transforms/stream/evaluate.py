"""What a profile's events come to now, and when that changes next. Pure; around the evaluator of the bounded job."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any

from transforms.segments.comparisons import NEVER
from transforms.segments.program import Program
from transforms.segments.reducers import Entry
from transforms.segments.replay import MembershipInterval
from transforms.segments.state import State
from transforms.segments.streams import StreamNode


class Rules:
    """A program, and what tells it from that of other definitions."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.versions = program.versions
        names = [f"segment {item.name} {item.version}" for item in program.definitions.segments]
        names += [f"trait {item.name} {item.version}" for item in program.definitions.traits]
        self.fingerprint = hashlib.sha256("\0".join(sorted(names)).encode()).hexdigest()[:16]


@dataclass(slots=True)
class Summary:
    """What the row of a profile tells of its events. Instants in microseconds."""

    first_seen_at: int
    last_seen_at: int
    event_count: int
    anonymous_ids: list[str]
    device_type: str | None


@dataclass(slots=True)
class Evaluation:
    """Everything at `now`. `due`: the next instant at which anything changes without an event; None: never."""

    summary: Summary
    stays: list[MembershipInterval]
    traits: dict[str, Any]
    computed: dict[str, Any]
    due: int | None


def next_change(program: Program, state: State, now: int) -> int | None:
    """The next instant at which a membership or a computed trait can change by itself."""
    timers = [] if (due := state.next_due()) is None else [due]
    for node, _ in program.computed.values():
        # A stream that no rule reads sets no timers: its value is worked out when it is asked for.
        if isinstance(node, StreamNode) and not node.dependents and (cell := state.cells.get(node.id)) is not None:
            timers += _edges(cell[0], node.selection.start, node.selection.end, now)
    return min(timers, default=None)


def _edges(entries: deque[Entry], start: int, end: int, now: int) -> Iterator[int]:
    """When the next of the entries, which are in order, begins to count, and when one ceases to."""
    if end != NEVER:
        yield from islice((entry[0] + end for entry in entries if entry[0] + end > now), 1)
    begins = [entry[0] + start for entry in takewhile(lambda entry: entry[0] + start > now, reversed(entries))]
    yield from begins[-1:]
