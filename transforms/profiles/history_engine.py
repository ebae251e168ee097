"""The evaluator of one history while a worker holds it: what is in order is a step, all else goes back a little.

It is never packed: the cell's events are what is kept, and a worker that takes a profile over replays them once; from
a base on, where the cell has left its oldest events behind (base.py).

Now and then the engine remembers a moment: a fork of the evaluator's state. An event out of order, or one that goes,
takes it back to the last moment before that event, and what came after it is replayed. So a late event costs a few
steps, not the profile's history: replaying that took four fifths of the time of a shop where one visitor has half of
all events.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from schemas.event import TIMESTAMP
from transforms.profiles.base import Base, Seen
from transforms.profiles.evaluate import Concerned, concerns_of
from transforms.profiles.history import BY_TIME
from transforms.profiles.rows import json_object
from transforms.profiles.stay_list import StayKey, StayList, StayMark
from transforms.records import Record
from transforms.segments.ahead import look_ahead
from transforms.segments.comparisons import NEVER
from transforms.segments.nodes.state import NEVER_YET, State
from transforms.segments.program import Program
from transforms.segments.replay import MembershipInterval, computed_traits, run

_MOMENT_EVERY = 64
"""Events from one moment to the next, at least; a profile of thousands has one every 64th part of its events."""
_MANY = 500
"""Events out of order that are better sorted in than put to their places one by one."""
_ALIKE = 2
"""How many moments are kept of each order of magnitude of their age."""


@dataclass(slots=True)
class _Moment:
    """Where an engine stood: at the instant `now`, after the first `taken` events."""

    now: int
    taken: int
    state: State
    stays: StayMark


class HistoryEngine:
    """Steps through events as they come, from a base on if there is one.

    `now`: up to where it has gone. `read_from`: an instant before which it will not end again, whatever comes or goes.
    """

    def __init__(self, program: Program, profile_id: str, base: Base | None = None) -> None:
        self.program = program
        self.now: int | None = None
        self.read_from = NEVER_YET
        self._base = base
        self._seen = Seen() if base is None else base.seen
        self._profile_id = profile_id
        self._concerns = concerns_of(program)
        self._records: list[Record] = []
        self._taken = 0
        self._state = self._first_state()
        self._stays = StayList({} if base is None else base.open)
        self._moments: list[_Moment] = []
        self._computed: dict[str, Any] = {}
        self._computed_json = b""
        self._computed_dues: dict[str, int] = {}
        self._computed_due = NEVER

    def take(self, added: Sequence[Record], removed: Sequence[Record], goes_back_to: int | None = None) -> bool:
        """Takes events in and out; whether anything may have changed by it, and not only what `go` says.

        Args:
            added: events.
            removed: the same.
            goes_back_to: also what time alone has brought after that instant has not happened.
        """
        times = [record[TIMESTAMP] for record in (*added, *removed)]
        first = min(times if goes_back_to is None else (*times, goes_back_to + 1), default=None)
        is_new = self.now is None
        rewound = self.now is not None and first is not None and first <= self.now
        if rewound and first is not None:
            self._go_back(first)
        if times:
            self._change_records(added, removed)
        return is_new or rewound

    def go(self, now: int, *, everything: bool) -> Concerned:
        """Steps through what was taken, and on to `now`: what may have changed by it."""
        taken = self._records[self._taken :]
        concerned = self._concerns.everything if everything else self._concerns.of(taken)
        self._run(now)
        return concerned

    def take_touched(self) -> dict[StayKey, MembershipInterval | None]:
        """The stays that may differ from what was told last; None: it never was."""
        return self._stays.take_touched()

    def fork(self) -> State:
        """The evaluator's state, to be used up."""
        return self.program.fork(self._state)

    def next_change(self) -> int | None:
        """The next instant at which a membership or a computed trait can change by itself."""
        due = self._state.next_due()
        found = self._computed_due if due is None else min(due, self._computed_due)
        return None if found == NEVER else found

    def settled_by(self, least: int) -> int | None:
        """By when half of the events (or of the stays that ended) were over; None: there are fewer than `least`."""
        records = self._records
        middle = records[(len(records) - 1) // 2][TIMESTAMP] if len(records) >= least else None
        found = [at for at in (middle, self._stays.middle_exit(least)) if at is not None]
        return min(found, default=None)

    def leave_behind(self, until: int) -> Base:
        """Makes what the events up to `until`, which is not after `now`, come to the beginning; forgets the events."""
        records = self._records
        count = bisect_right(records, until, key=itemgetter(TIMESTAMP))
        moment = next((one for one in reversed(self._moments) if one.now <= until), None)
        state = self._first_state() if moment is None else self.program.fork(moment.state)
        stays = StayList(self._stays.mark_at(moment.stays if moment else None).open)
        run(self.program, state, records[moment.taken if moment else 0 : count], until)
        stays.take_in(state.changes)
        state.instant, state.changes = [], []
        lasting = {name: replace(stay, expires_at=None) for name, stay in stays.open.items()}
        self._see(records[:count])
        self._base = Base(until, state, lasting, self._seen)
        self._forget(count, self._stays.leave_behind(until, lasting))
        return self._base

    def moment(self) -> Base | None:
        """A moment some way back, from which another engine can go on; None: there is none that is far enough back.

        Events later than it may still come out of order, and are taken in from there on.
        """
        back = max(_MOMENT_EVERY, len(self._records) // _MOMENT_EVERY) // 2
        found = next((one for one in reversed(self._moments) if len(self._records) - one.taken >= back), None)
        if found is None:
            return None
        lasting = {name: replace(stay, expires_at=None) for name, stay in self._stays.mark_at(found.stays).open.items()}
        return Base(found.now, found.state, lasting, self._seen.with_events(self._records[: found.taken]))

    def _see(self, records: Sequence[Record]) -> None:
        """Notes of events that will be left behind what the row tells of them."""

    def _forget(self, count: int, ended: int) -> None:
        """Counts from the base on: without its first events and stays."""
        del self._records[:count]
        self._taken -= count
        self._moments = [one for one in self._moments if self._base is None or one.now > self._base.now]
        for moment in self._moments:
            moment.taken -= count
            moment.stays = moment.stays._replace(ended=moment.stays.ended - ended)

    def _first_state(self) -> State:
        return State(self._profile_id) if self._base is None else self.program.fork(self._base.state)

    # --- events and moments ------------------------------------------------------------------------------------------

    def _go_back(self, before: int) -> None:
        """To the last moment that knows nothing of the instant `before`, or to the beginning (which does not)."""
        while self._moments and self._moments[-1].now >= before:
            self._moments.pop()
        if self._moments:
            moment = self._moments[-1]
            self._taken, self._state = moment.taken, self.program.fork(moment.state)
            self._stays.go_back(moment.stays)
        else:
            self._taken, self._state = 0, self._first_state()
            self._stays.go_back(None)

    def _change_records(self, added: Sequence[Record], removed: Sequence[Record]) -> None:
        records = self._records
        for record in removed:
            # Another content of its message id may be here already: it stands at the same place.
            del records[records.index(record, bisect_left(records, BY_TIME(record), key=BY_TIME))]
        if len(added) > _MANY and records and BY_TIME(added[0]) < BY_TIME(records[-1]):
            records.extend(added)
            records.sort(key=BY_TIME)
            return
        for record in added:
            if records and BY_TIME(record) < BY_TIME(records[-1]):
                insort(records, record, key=BY_TIME)
            else:
                records.append(record)

    def _run(self, now: int) -> None:
        """Steps through the events that were not taken in yet, and on to `now`; remembers moments on the way."""
        records, program = self._records, self.program
        self._state.read_from = self.read_from
        every = max(_MOMENT_EVERY, len(records) // _MOMENT_EVERY)
        while True:
            last = self._moments[-1].taken if self._moments else 0
            end = max(last + every, self._taken)
            end = max(end, len(records) - _nearest(len(records) - end, every))
            while end < len(records) and records[end][TIMESTAMP] == records[end - 1][TIMESTAMP]:
                end += 1
            if end >= len(records):
                break
            if end > self._taken:
                self.now = records[end - 1][TIMESTAMP]
                self._step(records[self._taken : end], self.now)
                self._taken = end
            self._moments.append(_Moment(self.now or 0, end, program.fork(self._state), self._stays.mark()))
            self._thin()
        self._step(records[self._taken :], now)
        self._taken, self.now = len(records), now

    def _step(self, records: Sequence[Record], now: int) -> None:
        state = self._state
        run(self.program, state, records, now)
        state.instant = []
        self._stays.take_in(state.changes)
        state.changes.clear()

    def _thin(self) -> None:
        """Keeps the moments that lie back 1, 2, 4 ... times as far, a few of each."""
        kept: list[_Moment] = []
        alike: Counter[int] = Counter()
        for moment in self._moments:
            age = (self._moments[-1].taken - moment.taken).bit_length()
            alike[age] += 1
            if alike[age] <= _ALIKE:
                kept.append(moment)
        self._moments = kept

    # --- what follows ------------------------------------------------------------------------------------------------

    def _find_expiry(self, concerned: Concerned) -> None:
        """When open stays will end. Without an event that concerns a stay, its end stays where it was."""
        stays = [
            replace(stay, expires_at=None)
            for name, stay in self._stays.open.items()
            if name in concerned.segments or self._stays.is_new(name)
        ]
        if stays:
            relevant = frozenset[int]().union(*(self.program.reads[stay.segment] for stay in stays))
            self._stays.set_expiry(self._look_ahead(stays, relevant))

    def _look_ahead(self, stays: list[MembershipInterval], relevant: frozenset[int]) -> list[MembershipInterval]:
        """Open stays, which depend on these nodes, with their `expires_at`."""
        if relevant.isdisjoint(self._state.due):
            return stays
        return look_ahead(self.program, self._state, self.now or 0, stays)

    def _compute(self, now: int, concerned: Collection[str]) -> None:
        """Computed traits: anew those that an event, or the time, may have changed."""
        dues = self._computed_dues
        if now >= self._computed_due:
            concerned = {*concerned, *(name for name, due in dues.items() if due <= now)}
        if not concerned and self._computed_json:
            return
        computed = self._computed | computed_traits(self.program, self._state, now, concerned)
        if computed != self._computed or not self._computed_json:
            self._computed, self._computed_json = computed, json_object(computed)
        for name in concerned:
            dues[name] = self._concerns.computed_due(self._state, name)
        self._computed_due = min(dues.values(), default=NEVER)


def _nearest(distance: int, every: int) -> int:
    """Of `every`, twice that, four times that ... the farthest that is no farther than a distance; else the distance.

    Of the moments on a long way only those so far from its end would be kept (`_thin`), and each costs a fork.
    """
    return every << (distance // every).bit_length() - 1 if distance >= every else distance
