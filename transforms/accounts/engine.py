"""The engine of an account: its users' events and answers up to now, and what time will bring to them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from schemas.event import TIMESTAMP
from transforms.accounts.ahead import Crossing, with_expiry
from transforms.accounts.waiting import Waiting
from transforms.profiles.base import Base
from transforms.profiles.history_engine import HistoryEngine
from transforms.profiles.rows import json_object
from transforms.profiles.stay_list import StayKey
from transforms.records import Record
from transforms.segments.nodes.quantifier import QuantifierNode
from transforms.segments.program import Program
from transforms.segments.replay import MembershipInterval


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
        self._waiting = Waiting()
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
        self._waiting.remove(ahead)
        later = [record for record in added if record[TIMESTAMP] > now]
        self._waiting.add(later)
        came = [record for record in added if record[TIMESTAMP] <= now] + self._waiting.take_until(now)
        everything = self.take(came, gone, now if now < prior else None)
        concerned = self.go(now, everything=everything or bool(ahead or later))
        self._coming = self._waiting.crossings(self.program, self._state)
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

    def _postpone(self, now: int, gone: Sequence[Record]) -> list[Record]:
        """What is ahead again: to be taken out."""
        records = list(self._records[bisect_right(self._records, now, key=itemgetter(TIMESTAMP)) :])
        for record in gone:
            if record[TIMESTAMP] > now:
                records.remove(record)
        self._waiting.add(records)
        return records
