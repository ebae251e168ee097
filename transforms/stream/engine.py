"""The evaluator of one profile while a worker holds it: what is in order is a step, all else a replay.

It is never packed: the cell's events are what is kept, and a worker that takes a profile over replays them once.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence

from schemas.event import ANONYMOUS_ID, TIMESTAMP
from transforms.blocks import Record
from transforms.profiles.history import latest_device_type
from transforms.segments.program import Program
from transforms.segments.replay import MembershipInterval, computed_traits, intervals_of, run, with_expiry
from transforms.segments.state import State
from transforms.stream.evaluate import Evaluation, Summary, next_change


class ProfileEngine:
    """Steps through a profile's events as they come. `now`: up to where it has gone; nothing before it may be added."""

    def __init__(self, program: Program, profile_id: str) -> None:
        self.program = program
        self.now: int | None = None
        self._state = State(profile_id)
        self._summary: Summary | None = None
        self._devices: set[str] = set()

    def follows(self, records: Iterable[Record]) -> bool:
        """Whether all of the events come after everything that was taken in."""
        return self.now is None or all(record[TIMESTAMP] > self.now for record in records)

    def advance(self, records: Sequence[Record], now: int) -> Evaluation:
        """Takes in events, in order, and lets time pass until `now`."""
        run(self.program, self._state, records, now)
        self._state.instant = []
        self.now = now
        if records:
            self._summary = self._summarise(records)
        if self._summary is None:
            raise ValueError("a profile begins with an event")
        computed = computed_traits(self.program, self._state, now)
        due = next_change(self.program, self._state, now)
        return Evaluation(self._summary, self._stays(), dict(self._state.traits), computed, due)

    def _summarise(self, records: Sequence[Record]) -> Summary:
        before = self._summary
        self._devices |= {record[ANONYMOUS_ID] for record in records} - {None}
        device_type = latest_device_type(records)
        if before is not None and device_type is None:
            device_type = before.device_type
        return Summary(
            records[0][TIMESTAMP] if before is None else before.first_seen_at,
            records[-1][TIMESTAMP],
            len(records) + (0 if before is None else before.event_count),
            sorted(self._devices),
            device_type,
        )

    def _stays(self) -> list[MembershipInterval]:
        """All memberships; the search for the end of those that last goes on in a copy of the state."""
        state, program = self._state, self.program
        stays = list(intervals_of(state.changes))
        relevant = {node for stay in stays if stay.exited_at is None for node in program.reads[stay.segment]}
        if relevant.isdisjoint(state.due):
            return stays
        return with_expiry(program, _copy(state, relevant), stays)


def _copy(state: State, relevant: set[int]) -> State:
    """As much of a state as letting time pass needs: the nodes that matter, and what no step changes in place."""
    copy = State(state.profile_id)
    cells = {node: cell for node, cell in state.cells.items() if node in relevant}
    copy.cells = pickle.loads(pickle.dumps(cells, pickle.HIGHEST_PROTOCOL))  # noqa: S301 - made in this line
    copy.values = dict(state.values)
    copy.traits, copy.writes, copy.started_at = state.traits, state.writes, state.started_at
    copy.due = {node: at for node, at in state.due.items() if node in relevant}
    copy.heap = sorted((at, node) for node, at in copy.due.items())
    return copy
