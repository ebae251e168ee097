"""The engine of an account: its users' events and answers up to now, and what time will bring to them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import orjson

from schemas.event import MESSAGE_ID, NAME, PROPERTIES, TIMESTAMP, TYPE
from transforms.accounts.ahead import Crossing, Turn, crossings, with_expiry
from transforms.profiles.base import Base
from transforms.profiles.history_engine import HistoryEngine
from transforms.profiles.rows import json_object
from transforms.profiles.stay_list import StayKey
from transforms.records import Record
from transforms.segments.nodes.quantifier import QuantifierNode
from transforms.segments.nodes.state import MEMBER
from transforms.segments.program import Program
from transforms.segments.replay import MembershipInterval


class _Waiting(NamedTuple):
    """What lies ahead; `by`: for how many users more (1 or -1) the rule holds from then on."""

    at: int
    message_id: str
    rule: str
    by: int
    record: Record


_AT = itemgetter(0)
_IN_ORDER = itemgetter(0, 1)


@dataclass(slots=True)
class AccountEvaluation:
    """What an account comes to, as `profiles.evaluate.Evaluation`."""

    touched: dict[StayKey, MembershipInterval | None]
    members: list[str]
    traits: bytes
    computed: bytes
    due: int | None


class AccountEngine(HistoryEngine):
    """Steps through an account's events as they come. What is later than now waits."""

    def __init__(self, program: Program, account_id: str, base: Base | None = None) -> None:
        super().__init__(program, account_id, base)
        self._waiting: list[_Waiting] = []
        self._coming: list[Crossing] = []
        self._traits_json = b""

    def advance(self, added: Sequence[Record], removed: Sequence[Record], now: int) -> AccountEvaluation:
        """Takes events in and out, and goes to `now`, which may lie before the last time's: what has changed."""
        now = now if self._base is None else max(self._base.now, now)
        prior = now if self.now is None else self.now
        gone = [record for record in removed if record[TIMESTAMP] <= prior]
        ahead = [record for record in removed if record[TIMESTAMP] > prior]
        if now < prior:
            gone += self._postpone(now, gone)
        changes_ahead = bool(ahead) or any(record[TIMESTAMP] > now for record in added)
        self._no_longer_wait(ahead)
        came = [record for record in added if record[TIMESTAMP] <= now]
        self._wait(record for record in added if record[TIMESTAMP] > now)
        came += self._arrived(now)
        everything = self.take(came, gone, now if now < prior else None)
        concerned = self.go(now, everything=everything or changes_ahead)
        self._coming = list(crossings(self.program, self._state, self._turns())) if self._waiting else []
        self._find_expiry(concerned)
        self._compute(now, concerned.computed)
        if concerned.traits or not self._traits_json:
            self._traits_json = json_object(self._state.traits)
        turns = [at for at in (self.next_change(), self._coming[0][0] if self._coming else None) if at is not None]
        members, touched = sorted(self._stays.open), self.take_touched()
        return AccountEvaluation(touched, members, self._traits_json, self._computed_json, min(turns, default=None))

    def _look_ahead(self, stays: list[MembershipInterval], relevant: frozenset[int]) -> list[MembershipInterval]:
        asks = self._coming and any(isinstance(self.program.nodes[node], QuantifierNode) for node in relevant)
        if not asks and relevant.isdisjoint(self._state.due):
            return stays
        return with_expiry(self.program, self.program.fork(self._state, relevant), stays, self._coming)

    # --- what waits ---------------------------------------------------------------------------------------------------

    def _turns(self) -> Iterator[Turn]:
        return ((one.at, one.rule, one.by) for one in self._waiting if one.by)

    def _wait(self, records: Iterator[Record]) -> None:
        found = [_waiting(record) for record in records]
        if len(found) > len(self._waiting) // 8:
            self._waiting = sorted([*self._waiting, *found], key=_IN_ORDER)
        else:
            for one in found:
                insort(self._waiting, one, key=_IN_ORDER)

    def _no_longer_wait(self, records: Sequence[Record]) -> None:
        for record in records:
            place = bisect_left(self._waiting, (record[TIMESTAMP], record[MESSAGE_ID]), key=_IN_ORDER)
            while self._waiting[place].record != record:
                place += 1
            del self._waiting[place]

    def _arrived(self, now: int) -> list[Record]:
        count = bisect_right(self._waiting, now, key=_AT)
        arrived = [one.record for one in self._waiting[:count]]
        del self._waiting[:count]
        return arrived

    def _postpone(self, now: int, gone: Sequence[Record]) -> list[Record]:
        """What is ahead again: to be taken out."""
        records = list(self._records[bisect_right(self._records, now, key=itemgetter(TIMESTAMP)) :])
        for record in gone:
            if record[TIMESTAMP] > now:
                records.remove(record)
        self._wait(iter(records))
        return records


def _waiting(record: Record) -> _Waiting:
    by = 0
    if record[TYPE] == MEMBER and not record[MESSAGE_ID]:
        by = 1 if orjson.loads(record[PROPERTIES])["holds"] else -1
    return _Waiting(record[TIMESTAMP], record[MESSAGE_ID], record[NAME], by, record)
