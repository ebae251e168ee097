"""Where a profile begins that has left its oldest events behind: everything that they came to, at one instant.

A base is packed for a program and a set of definitions (`rules`). Under other rules it is of use only where the events
are gone for good: then rules that have stayed the same go on as they were, and new ones begin at the base.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.event import ANONYMOUS_ID, TIMESTAMP
from transforms.profiles.history import latest_device_type
from transforms.records import Record
from transforms.segments.engine import resume
from transforms.segments.nodes.packed_state import pack_state, unpack_state
from transforms.segments.nodes.packing import pack_plain, unpack_plain
from transforms.segments.nodes.state import State
from transforms.segments.program import Program
from transforms.segments.replay import MembershipInterval
from transforms.state.cell import checked_layout

LAYOUT = 3
"""Layout 2 did not know when the events of a stay were."""


@dataclass(slots=True)
class Seen:
    """What the row of a profile tells of the events that were left behind."""

    first_seen_at: int = 0
    last_seen_at: int = 0
    event_count: int = 0
    devices: Counter[str | None] = field(default_factory=Counter)
    device_type: str | None = None

    def with_events(self, records: Sequence[Record]) -> Seen:
        """The same with further events, which are later than these."""
        if not records:
            return self
        devices = self.devices.copy()
        devices.update(record[ANONYMOUS_ID] for record in records)
        first = self.first_seen_at if self.event_count else records[0][TIMESTAMP]
        device_type = latest_device_type(records) or self.device_type
        return Seen(first, records[-1][TIMESTAMP], self.event_count + len(records), devices, device_type)

    def count(self, record: Record, sign: int) -> None:
        """Counts an event that came or went after it could still be taken in."""
        self.event_count += sign
        self.devices[record[ANONYMOUS_ID]] += sign
        if sign > 0:
            self.first_seen_at = min(self.first_seen_at, record[TIMESTAMP])


@dataclass(slots=True)
class Base:
    """A profile at the instant `now`: the evaluator's state, the stays that last, what was seen."""

    now: int
    state: State
    open: dict[str, MembershipInterval]
    seen: Seen

    def pack(self, program: Program) -> bytes:
        stays = [(s.segment, s.entered_at, s.message_ids, s.enter_cause, s.times) for s in self.open.values()]
        seen, devices = self.seen, [(device, count) for device, count in self.seen.devices.items() if count]
        told = (seen.first_seen_at, seen.last_seen_at, seen.event_count, devices, seen.device_type)
        return bytes((LAYOUT,)) + pack_plain((self.now, pack_state(program, self.state), stays, told))

    @classmethod
    def unpack(cls, data: bytes, program: Program, profile_id: str, *, same_rules: bool = True) -> Base:
        """What `pack` gave, in a program; with `same_rules` in the one that it was packed for."""
        _, body = checked_layout(data, LAYOUT)
        now, packed, stays, (first, last, count, devices, device_type) = unpack_plain(bytes(body))
        state = unpack_state(program, profile_id, packed)
        lasting = {segment: _open_stay(segment, *rest) for segment, *rest in stays}
        seen = Seen(first, last, count, Counter(dict(devices)), device_type)
        base = cls(now, state, lasting, seen)
        if not same_rules:
            base.take_over(program)
        return base

    def take_over(self, program: Program) -> None:
        """Brings every node up to date with its neighbours: some of them are new, or were told something."""
        names = {segment.definition.name: segment for segment in program.segments}
        self.open = {name: stay for name, stay in self.open.items() if name in names and names[name].value(self.state)}
        resume(program, self.state, self.now)
        for change in self.state.changes:
            self.open.pop(change.segment, None)
            if change.entered:
                found = (change.at, change.message_ids, change.cause, change.times)
                self.open[change.segment] = _open_stay(change.segment, *found)
        self.state.changes.clear()


def _open_stay(
    segment: str, entered_at: int, message_ids: Sequence[str], cause: str, times: Sequence[int] = ()
) -> MembershipInterval:
    return MembershipInterval(segment, entered_at, None, None, tuple(message_ids), (), cause, None, tuple(times))


def rules_mark(fingerprint: str, program: Program) -> str:
    """What a base is packed for: it can be read as it is only under the same."""
    return f"{fingerprint} {program.shape} {LAYOUT}"
