"""The evaluator of one profile while a worker holds it: what is in order is a step, all else goes back a little.

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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from schemas.event import ANONYMOUS_ID, TIMESTAMP
from transforms.profiles.base import Base, Seen
from transforms.profiles.evaluate import Concerned, Evaluation, Summary, concerns_of
from transforms.profiles.history import BY_TIME, latest_device_type
from transforms.profiles.normalize.traits import normalize_traits
from transforms.profiles.rows import TYPED_COLUMNS, json_object
from transforms.profiles.stay_list import StayList, StayMark
from transforms.records import Record
from transforms.segments.nodes.state import State
from transforms.segments.program import Program
from transforms.segments.replay import computed_traits, run, with_expiry

_MOMENT_EVERY = 64
"""Events from one moment to the next, at least; a profile of thousands has one every 64th part of its events."""
_ALIKE = 2
"""How many moments are kept of each order of magnitude of their age."""


@dataclass(slots=True)
class _Moment:
    """Where an engine stood: at the instant `now`, after the first `taken` events."""

    now: int
    taken: int
    state: State
    stays: StayMark


class ProfileEngine:
    """Steps through a profile's events as they come, from a base on if there is one. `now`: up to where it has gone."""

    def __init__(self, program: Program, profile_id: str, base: Base | None = None) -> None:
        self.program = program
        self._base = base
        self._seen = Seen() if base is None else base.seen
        self.now: int | None = None
        self._profile_id = profile_id
        self._concerns = concerns_of(program)
        self._records: list[Record] = []
        self._taken = 0
        self._state = self._first_state()
        self._stays = StayList({} if base is None else base.open)
        self._moments: list[_Moment] = []
        self._devices: Counter[str | None] = Counter()
        self._device_type: str | None = None
        self._computed: dict[str, Any] = {}
        self._computed_json = b""
        self._computed_due: int | None = None
        self._traits_json = b""
        self._typed: tuple[Any, ...] = ()

    def advance(self, added: Sequence[Record], removed: Sequence[Record], now: int | None) -> Evaluation | None:
        """Takes events in and out, and lets time pass until `now`, or the last event if that is later.

        Returns:
            What has changed since the last call; None when no event is left.
        """
        first = min((record[TIMESTAMP] for record in (*added, *removed)), default=None)
        is_new = self.now is None
        rewound = self.now is not None and first is not None and first <= self.now
        if rewound and first is not None:
            self._go_back(first)
        self._change_records(added, removed)
        records, seen = self._records, self._seen
        if not records and seen.event_count <= 0:
            return None
        now = self._last_seen() if now is None else max(self._last_seen(), now)
        if self._base is not None:
            now = max(self._base.now, now)
        taken = records[self._taken :]
        concerned = self._concerns.everything if is_new or rewound else self._concerns.of(taken)
        self._run(now)
        self._find_expiry(concerned)
        self._compute(now, concerned.computed)
        if concerned.traits or self._has_new_device(taken):
            self._normalise()
        devices = seen.devices + self._devices if seen.devices else self._devices
        summary = Summary(
            seen.first_seen_at if seen.event_count else records[0][TIMESTAMP],
            self._last_seen(),
            seen.event_count + len(records),
            sorted(name for name, count in devices.items() if count > 0 and name is not None),
        )
        due = self._concerns.next_change(self._state)
        members = sorted(self._stays.open)
        touched = self._stays.take_touched()
        return Evaluation(summary, touched, members, self._typed, self._traits_json, self._computed_json, due)

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
        self._seen = self._seen.with_events(records[:count])
        self._base = Base(until, state, lasting, self._seen)
        self._forget(count, self._stays.leave_behind(until, lasting))
        return self._base

    def _forget(self, count: int, ended: int) -> None:
        """Counts from the base on: without its first events and stays."""
        for record in self._records[:count]:
            self._devices[record[ANONYMOUS_ID]] -= 1
        self._devices = +self._devices
        del self._records[:count]
        self._taken -= count
        self._moments = [one for one in self._moments if self._base is None or one.now > self._base.now]
        for moment in self._moments:
            moment.taken -= count
            moment.stays = moment.stays._replace(ended=moment.stays.ended - ended)

    def _first_state(self) -> State:
        return State(self._profile_id) if self._base is None else self.program.fork(self._base.state)

    def _last_seen(self) -> int:
        last: int = self._records[-1][TIMESTAMP] if self._records else self._seen.last_seen_at
        return last

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
            self._devices[record[ANONYMOUS_ID]] -= 1
        for record in added:
            if records and BY_TIME(record) < BY_TIME(records[-1]):
                insort(records, record, key=BY_TIME)
            else:
                records.append(record)
            self._devices[record[ANONYMOUS_ID]] += 1

    def _run(self, now: int) -> None:
        """Steps through the events that were not taken in yet, and on to `now`; remembers moments on the way."""
        records, program = self._records, self.program
        every = max(_MOMENT_EVERY, len(records) // _MOMENT_EVERY)
        while True:
            last = self._moments[-1].taken if self._moments else 0
            end = max(last + every, self._taken)
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
        if not stays:
            return
        relevant = frozenset[int]().union(*(self.program.reads[stay.segment] for stay in stays))
        if not relevant.isdisjoint(self._state.due):
            stays = with_expiry(self.program, self.program.fork(self._state, relevant), stays)
        self._stays.set_expiry(stays)

    def _compute(self, now: int, concerned: bool) -> None:
        """Computed traits; anew where an event or the time may have changed them."""
        if not concerned and (self._computed_due is None or now < self._computed_due):
            return
        computed = computed_traits(self.program, self._state, now, again=True)
        if computed != self._computed or not self._computed_json:
            self._computed, self._computed_json = computed, json_object(computed)
        self._computed_due = self._concerns.computed_due(self._state)

    def _has_new_device(self, taken: Sequence[Record]) -> bool:
        return latest_device_type(taken) not in (None, self._device_type)

    def _normalise(self) -> None:
        """The typed columns."""
        device_type = latest_device_type(self._records) or self._seen.device_type
        typed, _ = normalize_traits(self._state.writes, device_type)
        self._device_type = device_type
        self._typed = tuple(typed[name] for name in TYPED_COLUMNS)
        self._traits_json = json_object(self._state.traits)
