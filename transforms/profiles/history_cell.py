"""What the cells of profiles and of accounts have in common: events, a base behind them, stays that were told.

Events that have settled (horizon.py) leave the cell, and so do the stays that had ended by then. What they came to is
the cell's base, from which the engine starts. What is left behind goes to the shelf's archive; a cell that needs its
past is given it back, and goes on as if it had never left it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Self

import msgspec

from schemas.event import TIMESTAMP
from schemas.tables import MEMBERSHIP_CHANGES, MEMBERSHIPS, Table
from schemas.update import RowUpdate
from transforms.profiles.base import Base, rules_mark
from transforms.profiles.evaluate import Rules
from transforms.profiles.history import BY_TIME
from transforms.profiles.history_engine import HistoryEngine
from transforms.profiles.rows import Row, membership_row, withdrawn_membership_row
from transforms.profiles.stay_list import StayKey
from transforms.profiles.stays import Said, Stay, as_stay, change_row
from transforms.records import Record
from transforms.segments.program import Program
from transforms.segments.replay import MembershipInterval
from transforms.state.cell import Output, checked_layout
from transforms.state.facts import DELETED, EVENT, MERGE, RETRACTION, SEGMENT_CHANGED, Fact, Facts, Message, event_of
from transforms.state.horizon import Horizon

LAYOUT = 2
"""Layout 1 had no base."""
REFRESH: Fact = ("refresh",)
"""Not a fact but a call: look at the rules again."""
_CORRECTIONS = {
    EVENT: "late_event",
    MERGE: "merge",
    DELETED: "deleted",
    RETRACTION: "retraction",
    SEGMENT_CHANGED: SEGMENT_CHANGED,
}


class _Packed(msgspec.Struct, array_like=True):
    """The whole cell, or a change of it: then only the facts and stays that differ (a stay of None is gone), no base.

    `base_at` is up to where events have been left behind, `base_rules` what the base is packed for; `more` is what only
    some cells have; `moment` of a whole cell: see `ProfileCell`.
    """

    facts: list[tuple[Fact, int, int]]
    stays: list[tuple[str, int, Stay | None]]
    generations: list[tuple[str, int, int]]
    clock: int | None
    due: int | None
    version: int
    recorded_at: int
    digest: bytes
    rules: str
    base: bytes | None = None
    base_at: int | None = None
    base_rules: str = ""
    more: bytes = b""
    moment: bytes = b""


class _Past(msgspec.Struct, array_like=True):
    """What a cell has left behind."""

    facts: list[tuple[Fact, int, int]]
    stays: list[tuple[str, int, Stay]]
    generations: list[tuple[str, int, int]]
    more: bytes = b""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Packed)
_PAST_DECODER = msgspec.msgpack.Decoder(_Past)


class HistoryCell:
    """Facts: events, and what else a kind of cell is told.

    Attributes:
        clock: up to where timers have told that time has passed.
        due: when the cell wants to be woken: where the timer stands.
        changes_at: the next instant at which anything changes without an event.
        version: of the rows that were written last.
        base_at: up to where events have been left behind; None: nowhere.
        horizon: when events have settled; None: never.
    """

    table: Table
    """That of its row."""
    horizon: Horizon | None = None
    _takes_first = True
    """Whether each fact that was told, and not taken back, stands."""

    def __init__(self, profile_id: str) -> None:
        self.profile_id = profile_id
        self.facts = Facts()
        self.clock: int | None = None
        self.due: int | None = None
        self.version = 0
        self._recorded_at = 0
        self._digest = b""
        self._rules = ""
        self._stays: dict[StayKey, Stay] = {}
        self._generations: dict[StayKey, int] = {}
        self._changed_stays: set[StayKey] = set()
        self._engine: HistoryEngine | None = None
        self.base_at: int | None = None
        self._base = b""
        self._base_rules = ""
        self._is_other = False
        self.changes_at: int | None = None
        self.counted: Counter[str] = Counter()

    @abstractmethod
    def program_of(self, rules: Rules) -> Program:
        """What the cell's engine steps through."""

    @abstractmethod
    def fingerprint_of(self, rules: Rules) -> str:
        """What tells the rules that concern the cell from others."""

    @abstractmethod
    def handle(self, rules: Rules, messages: Sequence[Message], recorded_at: int) -> Sequence[Output]:
        """Takes in messages of other stages."""

    @abstractmethod
    def fire(self, rules: Rules, until: int, recorded_at: int) -> Sequence[Output]:
        """The watermark has passed `until`, which is not before `due`."""

    # --- as bytes ----------------------------------------------------------------------------------------------------

    def pack(self) -> bytes:
        self.facts.settle_changes()
        self._changed_stays = set()
        self._is_other = False
        more = self.pack_more(whole=True)
        return bytes((LAYOUT,)) + self._encode(self.facts.counted(), self._stays, self._base, more, self.pack_moment())

    def change(self) -> bytes | None:
        if self._is_other:
            return None
        facts, stays = self._changes()
        return self._encode(facts, stays, None, self.pack_more(whole=False))

    def pack_more(self, *, whole: bool) -> bytes:
        """What only this kind of cell has, or what has changed of it."""
        return b""

    def apply_more(self, packed: bytes) -> None:
        """Takes in what `pack_more` gave."""

    def pack_moment(self) -> bytes:
        """From where a worker that reads the cell need not replay its events; empty: it must."""
        return b""

    def apply_moment(self, packed: bytes, changed: Iterable[Fact]) -> None:
        """Takes in what `pack_moment` gave, or with nothing of it that facts have changed since."""

    def _changes(self) -> tuple[list[tuple[Fact, int, int]], dict[StayKey, Stay | None]]:
        stays = {key: self._stays.get(key) for key in self._changed_stays}
        self._changed_stays = set()
        return self.facts.changes(), stays

    def _encode(
        self,
        facts: list[tuple[Fact, int, int]],
        stays: Mapping[StayKey, Stay | None],
        base: bytes | None,
        more: bytes,
        moment: bytes = b"",
    ) -> bytes:
        packed = _Packed(
            facts,
            [(*key, stay) for key, stay in stays.items()],
            [(*key, count) for key, count in self._generations.items()],
            self.clock,
            self.due,
            self.version,
            self._recorded_at,
            self._digest,
            self._rules,
            base,
            self.base_at,
            self._base_rules,
            more,
            moment,
        )
        return _ENCODER.encode(packed)

    @classmethod
    def unpack(cls, key: str, data: bytes | None) -> Self:
        cell = cls(key)
        if data:
            _, body = checked_layout(data, LAYOUT)
            cell.apply(body)
        return cell

    def apply(self, change: bytes | memoryview) -> None:
        packed = _DECODER.decode(change)
        self.facts.apply(packed.facts)
        for segment, entered_at, stay in packed.stays:
            if stay is None:
                self._stays.pop((segment, entered_at), None)
            else:
                self._stays[segment, entered_at] = stay
        self._generations = {(segment, entered_at): count for segment, entered_at, count in packed.generations}
        self.clock, self.due, self.version = packed.clock, packed.due, packed.version
        self._recorded_at, self._digest, self._rules = packed.recorded_at, packed.digest, packed.rules
        if packed.base is not None:
            self._base, self.base_at, self._base_rules = packed.base, packed.base_at, packed.base_rules
        self.apply_more(packed.more)
        self.apply_moment(packed.moment, (fact for fact, _, _ in packed.facts))

    # --- what has settled ---------------------------------------------------------------------------------------------

    def needs_past(self, rules: Rules, messages: Iterable[Message] = ()) -> bool:
        """Whether the answer to messages, under these rules, is not to be found from the base on."""
        return self.base_at is not None and (
            self._base_rules != self._mark(rules) or any(self._is_behind(message.fact) for message in messages)
        )

    def _mark(self, rules: Rules) -> str:
        return rules_mark(self.fingerprint_of(rules), self.program_of(rules))

    def _is_behind(self, fact: Fact) -> bool:
        return self.base_at is not None and fact[0] == EVENT and fact[1 + TIMESTAMP] <= self.base_at

    def restore(self, past: Iterable[bytes]) -> None:
        """Takes back what was left behind; the base is dropped."""
        for part in map(_PAST_DECODER.decode, past):
            self.facts.apply(part.facts)
            self._stays |= {(segment, entered_at): stay for segment, entered_at, stay in part.stays}
            self._generations |= {(segment, entered_at): count for segment, entered_at, count in part.generations}
            self.restore_more(part.more)
        self._set_base(b"", None, "")

    def restore_more(self, past: bytes) -> None:
        """Takes back what `leave_more_behind` gave."""

    def leave_more_behind(self, rules: Rules, until: int) -> bytes:
        """Leaves what only this kind of cell has: that, packed."""
        return b""

    def leave_behind(self, rules: Rules, until: int) -> tuple[bytes, int] | None:
        """Leaves what has settled at the instant `until`: that, packed, and how many facts; None if it is not worth it.

        The rows are up to date under these rules.
        """
        engine = self._engine
        settled_by = self._settled_by(engine)
        if engine is None or settled_by is None or settled_by > until:
            return None
        base = engine.leave_behind(min(until, engine.now or until))
        more = self.leave_more_behind(rules, base.now)
        self._set_base(base.pack(self.program_of(rules)), base.now, self._mark(rules))
        self._engine = engine
        facts = self.facts.leave_behind(EVENT, self._is_behind)
        lasting = {(stay.segment, stay.entered_at) for stay in base.open.values()}
        ended = [key for key, stay in self._stays.items() if stay.exited_at is not None and stay.exited_at <= base.now]
        settled = [key for key in self._generations if key[1] <= base.now and key not in lasting]
        past = _Past(
            facts,
            [(*key, self._stays.pop(key)) for key in ended],
            [(*key, self._generations.pop(key)) for key in settled],
            more,
        )
        self._set_due(engine)
        return _ENCODER.encode(past), len(facts)

    def _settled_by(self, engine: HistoryEngine | None) -> int | None:
        """By when half of what can settle was over; None: there is too little of it."""
        return None if engine is None or self.horizon is None else engine.settled_by(self.horizon.least)

    def _set_base(self, base: bytes, at: int | None, mark: str) -> None:
        self._base, self.base_at, self._base_rules = base, at, mark
        self._is_other, self._engine = True, None

    def _read_base(self, rules: Rules) -> Base | None:
        if self.base_at is None:
            return None
        same = self._base_rules == self._mark(rules)
        return Base.unpack(self._base, self.program_of(rules), self.profile_id, same_rules=same)

    # --- what happens ------------------------------------------------------------------------------------------------

    def _take_in(self, messages: Iterable[Message]) -> tuple[list[Record], list[Record]]:
        """Counts the facts of messages: the events that came by it, in order, and those that went."""
        messages = tuple(messages)
        if self._takes_first and messages and messages[-1].fact != REFRESH and self.facts.take_first(messages):
            return self._standing(), []
        stood: dict[Fact, bool] = {}
        for message in messages:
            if message.fact != REFRESH:
                stood.setdefault(message.fact, self._stands(message.fact))
                self.facts.take(message.fact, message.sign, message.version)
        changed = [
            (event_of(fact), did) for fact, did in stood.items() if fact[0] == EVENT and did is not self._stands(fact)
        ]
        came = sorted((event for event, did in changed if not did), key=BY_TIME)
        return came, [event for event, did in changed if did]

    def _standing(self) -> list[Record]:
        """The events that there are, from the base on, in order."""
        facts = self.facts.of(EVENT)
        standing = facts if self._takes_first else filter(self._stands, facts)
        return sorted(map(event_of, standing), key=BY_TIME)

    def _stands(self, fact: Fact) -> bool:
        return self.facts.count(fact) > 0

    def _started_again(self, rules: Rules, prior_now: int | None, correction: str) -> tuple[int | None, str]:
        """Up to where what is told differently is a correction, and its cause; notes that these are the rules now."""
        changed = self._rules not in ("", self.fingerprint_of(rules))
        self._rules = self.fingerprint_of(rules)
        self.version += 1
        if not changed:
            return prior_now, correction
        return (None if prior_now is None else prior_now + 1), SEGMENT_CHANGED

    def _set_due(self, engine: HistoryEngine | None) -> None:
        """To the next change, or to when the cell can leave something behind, if that is earlier."""
        self.due = self.changes_at
        settled_by = self._settled_by(engine)
        if settled_by is not None and self.horizon is not None:
            passed = settled_by if self.clock is None else self.clock - self.horizon.age_us + 1
            look = self.horizon.due(self.profile_id, max(settled_by, passed))
            self.due = look if self.due is None else min(look, self.due)

    # --- what is told -------------------------------------------------------------------------------------------------

    def _row_update(self, row: Row, recorded_at: int) -> Iterable[RowUpdate]:
        """The cell's row (without version and recorded_at), if it differs from the last one."""
        digest = blake2b(_ENCODER.encode(row), digest_size=8).digest()
        if digest != self._digest:
            self._digest = digest
            yield RowUpdate(self.table.name, (*row, self.version, recorded_at), self.version)

    def _no_row(self) -> Iterable[RowUpdate]:
        """Takes the cell's row away, if there was one."""
        if self._digest:
            self._digest = b""
            row = (self.profile_id, *(None,) * (len(self.table.columns) - 1))
            yield RowUpdate(self.table.name, row, self.version, withdrawn=True)

    def _membership_updates(
        self,
        versions: Mapping[str, str],
        touched: Mapping[StayKey, MembershipInterval | None],
        prior_now: int | None,
        correction: str,
        recorded_at: int,
    ) -> list[Output]:
        if not touched:
            return []
        said = Said(self.profile_id, self._generations, prior_now, correction)
        before = {key: self._stays[key] for key in touched if key in self._stays}
        stays = [stay for stay in touched.values() if stay is not None]
        changes = said.compare(before, stays, versions)
        updates: list[Output] = []
        for key, stay in touched.items():
            was = before.get(key)
            if stay is None:
                if was is not None:
                    del self._stays[key]
                    self._changed_stays.add(key)
                    row = withdrawn_membership_row(self.profile_id, key)
                    updates.append(RowUpdate(MEMBERSHIPS.name, row, self.version, withdrawn=True))
                continue
            now = as_stay(stay, versions[stay.segment])
            if was != now:
                self._stays[key] = now
                self._changed_stays.add(key)
                row = membership_row(self.profile_id, stay, versions[stay.segment], recorded_at)
                updates.append(RowUpdate(MEMBERSHIPS.name, row, self.version))
        for change in changes:
            # Strictly growing, so that the log can be read in the order in which it was said.
            self._recorded_at = max(recorded_at, self._recorded_at + 1)
            updates.append(
                RowUpdate(MEMBERSHIP_CHANGES.name, change_row(self.profile_id, change, self._recorded_at), self.version)
            )
        return updates


def correction_of(messages: Iterable[Message]) -> tuple[str, str]:
    """Of the reasons why messages were sent the weightiest, and the cause of what is corrected by them."""
    reasons = {message.why for message in messages}
    why = next((reason for reason in (DELETED, RETRACTION, MERGE, SEGMENT_CHANGED) if reason in reasons), EVENT)
    return why, _CORRECTIONS[why]
