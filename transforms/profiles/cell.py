"""Stage `profiles`: one profile, its events, the rows that follow from them, and what its accounts are told.

An event takes effect when it comes; what time alone brings, when the watermark passes it. "Now" is the later of the
profile's last event and the last instant that its timer told. What an event proves wrong is corrected.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from operator import itemgetter

import msgspec

from schemas.event import GROUP_ID, TIMESTAMP, TYPE
from schemas.tables import PROFILES
from schemas.update import RowUpdate
from transforms import counting
from transforms.accounts.contribution import Change, Contribution
from transforms.profiles.base import Base, rules_mark
from transforms.profiles.engine import ProfileEngine
from transforms.profiles.evaluate import Evaluation, Rules
from transforms.profiles.history_cell import HistoryCell, correction_of
from transforms.profiles.history_engine import HistoryEngine
from transforms.profiles.rows import Row, merged_profile, user_id_of
from transforms.profiles.stay_list import StayKey
from transforms.records import Record
from transforms.segments.program import Program
from transforms.state.cell import Output
from transforms.state.facts import EVENT, Fact, Message, event_of

MOMENT_FROM = 256
"""Events of a profile that are packed with a moment: fewer are replayed as soon as that is read."""


class _Moment(msgspec.Struct, array_like=True, frozen=True):
    """What the events up to `at` (microseconds) came to under some rules, and by when half of all events were over.

    Unlike with a base, the events are still there: one of them that changes makes the moment void.
    """

    at: int
    rules: str
    base: bytes
    settled_by: int | None


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Moment)


class ProfileCell(HistoryCell):
    """Facts: events, ("merged", root profile), ("erased", instant) where the past is not kept.

    A profile of many events is packed with a moment, so that a worker who reads it goes on from there. An event before
    it, or other rules, have it replay all of them after all.
    """

    table = PROFILES
    _engine: ProfileEngine | None

    def __init__(self, profile_id: str) -> None:
        super().__init__(profile_id)
        self._accounts = Contribution(profile_id)
        self._moment: _Moment | None = None
        self._resumed_at: int | None = None
        """Where the engine began, if that was the moment."""

    def program_of(self, rules: Rules) -> Program:
        return rules.program

    def fingerprint_of(self, rules: Rules) -> str:
        return rules.fingerprint

    def pack_more(self, *, whole: bool) -> bytes:
        return self._accounts.pack(whole=whole)

    def apply_more(self, packed: bytes) -> None:
        self._accounts.apply(packed)

    def pack_moment(self) -> bytes:
        engine = self._engine
        if engine is None or self.facts.size(EVENT) < MOMENT_FROM or not self._rules:
            return b"" if self._moment is None else _ENCODER.encode(self._moment)
        found = engine.moment()
        if found is not None:
            mark = rules_mark(self._rules, engine.program)
            self._moment = _Moment(found.now, mark, found.pack(engine.program), self._settled_by(engine))
        return b"" if self._moment is None else _ENCODER.encode(self._moment)

    def apply_moment(self, packed: bytes, changed: Iterable[Fact]) -> None:
        if packed:
            self._moment = _DECODER.decode(packed)
        elif self._moment is not None and any(map(self._is_before_moment, changed)):
            self._moment = None

    def _is_before_moment(self, fact: Fact) -> bool:
        return self._moment is not None and fact[0] == EVENT and fact[1 + TIMESTAMP] <= self._moment.at

    def _settled_by(self, engine: HistoryEngine | None) -> int | None:
        found = super()._settled_by(engine)
        if self._resumed_at is None or self._moment is None or self._moment.settled_by is None:
            return found
        return self._moment.settled_by if found is None else min(found, self._moment.settled_by)

    def _set_base(self, base: bytes, at: int | None, mark: str) -> None:
        super()._set_base(base, at, mark)
        self._moment = self._resumed_at = None

    # --- what has settled ---------------------------------------------------------------------------------------------

    def leave_behind(self, rules: Rules, until: int) -> tuple[bytes, int] | None:
        if self._resumed_at is not None and self._engine is not None and until < self._resumed_at:
            settled_by = self._settled_by(self._engine)
            if settled_by is not None and settled_by <= until:
                self._replay(rules, self._engine.now)
        return super().leave_behind(rules, until)

    def _replay(self, rules: Rules, now: int | None) -> None:
        """Has an engine that knows all events, for one that knows those after the moment; both come to the same."""
        self._moment = self._resumed_at = None
        self._engine = ProfileEngine(rules.program, self.profile_id, self._read_base(rules))
        self._engine.advance(self._standing(), [], now)

    def needs_past(self, rules: Rules, messages: Iterable[Message] = ()) -> bool:
        if self.base_at is None:
            return False
        messages = tuple(messages)
        if super().needs_past(rules, messages):
            return True
        came = [event_of(message.fact) for message in messages if message.fact[0] == EVENT]
        return self._accounts.needs_past(rules.accounts, came)

    def restore_more(self, past: bytes) -> None:
        self._accounts.following.restore(past)

    def leave_more_behind(self, rules: Rules, until: int) -> bytes:
        return self._accounts.following.leave_behind(rules.accounts, until)

    def _count_unseen(self, rules: Rules, messages: Iterable[Message]) -> None:
        """Counts events whose past is gone for good: more than that cannot be known."""
        base = self._read_base(rules)
        for message in messages:
            if base is not None:
                base.seen.count(event_of(message.fact), message.sign)
                self._accounts.count_unseen(event_of(message.fact), message.sign)
        if base is not None:
            self._set_base(base.pack(rules.program), base.now, self._mark(rules))

    def _drop_base(self, base_at: int) -> None:
        """Where the past cannot be read again, a merge and a deletion end with what is known of it."""
        merged = self.facts.of("merged") and not self.facts.of(EVENT)
        if merged or any(fact[1] >= base_at for fact in self.facts.of("erased")):
            self._set_base(b"", None, "")
            self._accounts.forget()

    # --- what happens ------------------------------------------------------------------------------------------------

    def handle(self, rules: Rules, messages: Sequence[Message], recorded_at: int) -> list[Output]:
        prior_now = self._now()
        why, correction = correction_of(messages)
        if self.base_at is not None:
            unseen = [message for message in messages if self._is_behind(message.fact)]
            if unseen:
                self._count_unseen(rules, unseen)
                messages = [message for message in messages if not self._is_behind(message.fact)]
        came, went = self._take_in(messages)
        if self.base_at is not None and not self._keeps_past():
            self._drop_base(self.base_at)
        return self._evaluate(rules, came, went, prior_now, (why, correction), recorded_at)

    def fire(self, rules: Rules, until: int, recorded_at: int) -> list[Output]:
        prior_now = self._now()
        self.clock = until if self.clock is None else max(until, self.clock)
        return self._evaluate(rules, [], [], prior_now, (EVENT, "late_event"), recorded_at)

    # --- what follows ------------------------------------------------------------------------------------------------

    def _now(self) -> int | None:
        if self._engine is not None:
            return self._engine.now
        last = max((fact[1 + TIMESTAMP] for fact in self.facts.of(EVENT)), default=self.base_at)
        return last if self.clock is None or last is None else max(self.clock, last)

    def _keeps_past(self) -> bool:
        return self.horizon is None or self.horizon.archive

    def _evaluate(
        self,
        rules: Rules,
        came: list[Record],
        went: list[Record],
        prior_now: int | None,
        reason: tuple[str, str],
        recorded_at: int,
    ) -> list[Output]:
        existed = prior_now is not None
        prior_now, correction = self._started_again(rules, prior_now, reason[1])
        engine, added, removed = self._engine, came, went
        told = set[StayKey]()
        if self._moment is not None and any(one[TIMESTAMP] <= self._moment.at for one in (*came, *went)):
            engine = engine if self._resumed_at is None else None
            self._moment = self._resumed_at = None
        if engine is None or engine.program is not rules.program:
            engine, added, told = self._begin(rules, came)
            removed = []
        if self.clock is not None and self._keeps_past():
            engine.read_from = self.clock
        found = engine.advance(added, removed, self.clock)
        self._engine = None if found is None else engine
        self.counted[counting.PROFILES] += (found is not None) - existed
        touched = dict.fromkeys(told if found is not None else self._stays) | ({} if found is None else found.touched)
        outputs = self._membership_updates(rules.versions, touched, prior_now, correction, recorded_at)
        if found is None:
            outputs += self._nothing_left(recorded_at)
        else:
            outputs += self._row_update(profile_row(self.profile_id, found), recorded_at)
        outputs += self._tell_accounts(rules, came, went, found, reason[0])
        turns = [at for at in (None if found is None else found.due, self._accounts.due) if at is not None]
        self.changes_at = min(turns, default=None)
        self._set_due(self._engine)
        return outputs

    def _begin(self, rules: Rules, came: list[Record]) -> tuple[ProfileEngine, list[Record], set[StayKey]]:
        """An engine; the events that it has to take in, and the stays that it will tell anew.

        `came`: the events that came just now, in order.
        """
        moment = self._moment
        events = came if len(came) == self.facts.size(EVENT) else self._standing()
        if moment is None or moment.rules != self._mark(rules):
            self._moment = self._resumed_at = None
            return ProfileEngine(rules.program, self.profile_id, self._read_base(rules)), events, set(self._stays)
        self._resumed_at = moment.at
        base = Base.unpack(moment.base, rules.program, self.profile_id)
        after = bisect_right(events, moment.at, key=itemgetter(TIMESTAMP))
        lasting = {key for key, stay in self._stays.items() if stay.exited_at is None or stay.exited_at > moment.at}
        return ProfileEngine(rules.program, self.profile_id, base), events[after:], lasting

    def _tell_accounts(
        self, rules: Rules, came: list[Record], went: list[Record], found: Evaluation | None, why: str
    ) -> list[Message]:
        """Most profiles are in no account, and nothing is done for them."""
        follows_all = bool(rules.accounts.asked) and not self._keeps_past()
        if not self._accounts.groups and not follows_all and not any(map(_is_group, (*came, *went))):
            return []
        now = None if self._engine is None else self._engine.now
        last_seen_at = 0 if found is None else found.summary.last_seen_at
        change = Change(self._standing, came, went, now, last_seen_at, self.base_at, why, self._keeps_past())
        return self._accounts.tell(rules.accounts, change)

    def _nothing_left(self, recorded_at: int) -> Iterable[RowUpdate]:
        """A profile without events: merged into another, or gone."""
        merged = self.facts.of("merged")
        if merged:
            row = merged_profile(self.profile_id, max(merged)[1], 0)[:-2]
            return self._row_update(row, recorded_at)
        return self._no_row()


def _is_group(record: Record | Fact) -> bool:
    return record[TYPE] == "group" and bool(record[GROUP_ID])


def profile_row(profile_id: str, found: Evaluation) -> Row:
    """The row of `profiles` without version and recorded_at."""
    summary = found.summary
    return (
        *(profile_id, user_id_of(profile_id), summary.anonymous_ids),
        *found.typed,
        *(found.traits, found.computed, found.members),
        *(summary.first_seen_at, summary.last_seen_at, summary.event_count, None),
    )
