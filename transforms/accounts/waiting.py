"""What lies ahead of an account: records of its users' answers that time will bring, in order.

An account of a hundred thousand users has as many of them, and each event of a user moves one. So they are found by
place, and the instants at which ANY or ALL changes without looking at each: while a rule holds for n users, the next
n - 1 answers cannot make ANY false.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from operator import itemgetter

import orjson

from schemas.event import MESSAGE_ID, NAME, PROPERTIES, TIMESTAMP, TYPE
from transforms.accounts.ahead import Crossing, counts_of
from transforms.profiles.history import BY_TIME
from transforms.records import Record
from transforms.segments.nodes.state import MEMBER, State
from transforms.segments.program import Program


class _Turns:
    """Of one rule: when it begins (1) or ceases (-1) to hold for a user, in order."""

    __slots__ = ("ats", "bys")

    def __init__(self) -> None:
        self.ats: list[int] = []
        self.bys: list[int] = []

    def add(self, at: int, by: int) -> None:
        place = bisect_right(self.ats, at)
        self.ats.insert(place, at)
        self.bys.insert(place, by)

    def remove(self, at: int, by: int) -> None:
        place = self.bys.index(by, bisect_left(self.ats, at))
        del self.ats[place], self.bys[place]

    def drop_until(self, now: int) -> None:
        count = bisect_right(self.ats, now)
        del self.ats[:count], self.bys[:count]

    def crossings(self, holding: int, total: int) -> Iterator[tuple[int, int]]:
        """(instant, for how many users more the rule holds than at the one before), where ANY or ALL changes."""
        ats, bys, place, told = self.ats, self.bys, 0, holding
        while place < len(ats):
            near = min(max(holding, 1 - holding), abs(total - holding) or 1)
            if near > 1:
                holding += sum(bys[place : place + near - 1])
                place += near - 1
                continue
            was, at = (holding > 0, holding == total), ats[place]
            while place < len(ats) and ats[place] == at:
                holding += bys[place]
                place += 1
            if was != (holding > 0, holding == total):
                yield at, holding - told
                told = holding


class Waiting:
    """Records after now."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._keys: list[tuple[int, str]] = []
        self._turns: dict[str, _Turns] = {}

    def __len__(self) -> int:
        return len(self._records)

    def add(self, records: Iterable[Record]) -> None:
        for record in records:
            place = bisect_right(self._keys, BY_TIME(record))
            self._keys.insert(place, BY_TIME(record))
            self._records.insert(place, record)
            by = _turn(record)
            if by:
                self._turns.setdefault(record[NAME], _Turns()).add(record[TIMESTAMP], by)

    def remove(self, records: Iterable[Record]) -> None:
        for record in records:
            place = self._records.index(record, bisect_left(self._keys, BY_TIME(record)))
            del self._records[place], self._keys[place]
            by = _turn(record)
            if by:
                self._turns[record[NAME]].remove(record[TIMESTAMP], by)

    def take_until(self, now: int) -> list[Record]:
        """Those up to then; they wait no longer."""
        count = bisect_left(self._keys, (now + 1, ""))
        taken = self._records[:count]
        del self._records[:count], self._keys[:count]
        for turns in self._turns.values() if taken else ():
            turns.drop_until(now)
        return taken

    def crossings(self, program: Program, state: State) -> list[Crossing]:
        """As `ahead.crossings`, of all that waits."""
        found: dict[int, dict[str, int]] = {}
        for rule, turns in self._turns.items():
            for at, by in turns.crossings(*counts_of(program, state, rule)):
                found.setdefault(at, {})[rule] = by
        return sorted(found.items(), key=itemgetter(0))


def _turn(record: Record) -> int:
    """For how many users more a rule holds by it."""
    if record[TYPE] != MEMBER or record[MESSAGE_ID]:
        return 0
    return 1 if orjson.loads(record[PROPERTIES])["holds"] else -1
