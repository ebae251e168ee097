"""Stage `profiles`: one profile, its events, and the rows that follow from them.

An event takes effect when it comes; what time alone brings, when the watermark passes it. "Now" is the later of the
profile's last event and the last instant that its timer told. What an event proves wrong is corrected.

Events that have settled (horizon.py) leave the cell, and so do the stays that had ended by then. What they came to is
the cell's base, from which the engine starts. What is left behind goes to the shelf's archive; a cell that needs its
past is given it back, and goes on as if it had never left it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Self

import msgspec

from schemas.event import TIMESTAMP
from schemas.tables import MEMBERSHIP_CHANGES, MEMBERSHIPS, PROFILES
from schemas.update import RowUpdate
from transforms import counting
from transforms.profiles.base import Base, rules_mark
from transforms.profiles.engine import ProfileEngine
from transforms.profiles.evaluate import Evaluation, Rules
from transforms.profiles.history import BY_TIME
from transforms.profiles.rows import Row, membership_row, merged_profile, user_id_of
from transforms.profiles.stay_list import StayKey
from transforms.profiles.stays import Said, Stay, as_stay, change_row
from transforms.records import Record
from transforms.segments.replay import MembershipInterval
from transforms.state.cell import checked_layout
from transforms.state.facts import DELETED, EVENT, MERGE, RETRACTION, Fact, Facts, Message, event_of
from transforms.state.horizon import Horizon

LAYOUT = 2
"""Layout 1 had no base."""
_CORRECTIONS = {EVENT: "late_event", MERGE: "merge", DELETED: "deleted", RETRACTION: "retraction"}
SEGMENT_CHANGED = "segment_changed"
REFRESH: Fact = ("refresh",)
"""Not a fact but a call: look at the rules again."""


class _Packed(msgspec.Struct, array_like=True):
    """The whole cell, or a change of it: then only the facts and stays that differ (a stay of None is gone), no base.

    `base_at` is up to where events have been left behind, `base_rules` what the base is packed for.
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


class _Past(msgspec.Struct, array_like=True):
    """What a cell has left behind."""

    facts: list[tuple[Fact, int, int]]
    stays: list[tuple[str, int, Stay]]
    generations: list[tuple[str, int, int]]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Packed)
_PAST_DECODER = msgspec.msgpack.Decoder(_Past)


class ProfileCell:
    """Facts: events, ("merged", root profile), ("erased", instant) where the past is not kept.

    Attributes:
        clock: up to where timers have told that time has passed.
        due: the next instant at which anything changes without an event: where the timer stands.
        version: of the rows that were written last.
        base_at: up to where events have been left behind; None: nowhere.
        horizon: when events have settled; None: never.
    """

    horizon: Horizon | None = None

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
        self._engine: ProfileEngine | None = None
        self.base_at: int | None = None
        self._base = b""
        self._base_rules = ""
        self._is_other = False
        self._changes_at: int | None = None
        self.counted: Counter[str] = Counter()

    # --- as bytes ----------------------------------------------------------------------------------------------------

    def pack(self) -> bytes:
        self._changes()
        self._is_other = False
        return bytes((LAYOUT,)) + self._encode(self.facts.counted(), self._stays, self._base)

    def change(self) -> bytes | None:
        if self._is_other:
            return None
        facts, stays = self._changes()
        return self._encode(facts, stays, None)

    def _changes(self) -> tuple[list[tuple[Fact, int, int]], dict[StayKey, Stay | None]]:
        stays = {key: self._stays.get(key) for key in self._changed_stays}
        self._changed_stays = set()
        return self.facts.changes(), stays

    def _encode(
        self, facts: list[tuple[Fact, int, int]], stays: Mapping[StayKey, Stay | None], base: bytes | None
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

    # --- what has settled ---------------------------------------------------------------------------------------------

    def needs_past(self, rules: Rules, messages: Iterable[Message] = ()) -> bool:
        """Whether the answer to messages, under these rules, is not to be found from the base on."""
        return self.base_at is not None and (
            self._base_rules != rules_mark(rules.fingerprint, rules.program)
            or any(map(self._is_behind, (message.fact for message in messages)))
        )

    def _is_behind(self, fact: Fact) -> bool:
        return self.base_at is not None and fact[0] == EVENT and fact[1 + TIMESTAMP] <= self.base_at

    def restore(self, past: Iterable[bytes]) -> None:
        """Takes back what was left behind; the base is dropped."""
        for part in map(_PAST_DECODER.decode, past):
            self.facts.apply(part.facts)
            self._stays |= {(segment, entered_at): stay for segment, entered_at, stay in part.stays}
            self._generations |= {(segment, entered_at): count for segment, entered_at, count in part.generations}
        self._set_base(b"", None, "")

    def leave_behind(self, rules: Rules, until: int) -> tuple[bytes, int] | None:
        """Leaves what has settled at the instant `until`: that, packed, and how many facts; None if it is not worth it.

        The rows are up to date under these rules.
        """
        engine, horizon = self._engine, self.horizon
        settled_by = None if engine is None or horizon is None else engine.settled_by(horizon.least)
        if engine is None or settled_by is None or settled_by > until:
            return None
        base = engine.leave_behind(min(until, engine.now or until))
        self._set_base(base.pack(rules.program), base.now, rules_mark(rules.fingerprint, rules.program))
        self._engine = engine
        facts = self.facts.leave_behind(EVENT, self._is_behind)
        lasting = {(stay.segment, stay.entered_at) for stay in base.open.values()}
        ended = [key for key, stay in self._stays.items() if stay.exited_at is not None and stay.exited_at <= base.now]
        settled = [key for key in self._generations if key[1] <= base.now and key not in lasting]
        past = _Past(
            facts,
            [(*key, self._stays.pop(key)) for key in ended],
            [(*key, self._generations.pop(key)) for key in settled],
        )
        self._set_due(engine)
        return _ENCODER.encode(past), len(facts)

    def _set_base(self, base: bytes, at: int | None, mark: str) -> None:
        self._base, self.base_at, self._base_rules = base, at, mark
        self._is_other, self._engine = True, None

    def _count_unseen(self, rules: Rules, messages: Iterable[Message]) -> None:
        """Counts events whose past is gone for good: more than that cannot be known."""
        base = self._read_base(rules)
        for message in messages:
            if base is not None:
                base.seen.count(event_of(message.fact), message.sign)
        if base is not None:
            self._set_base(base.pack(rules.program), base.now, rules_mark(rules.fingerprint, rules.program))

    def _drop_base(self, base_at: int) -> None:
        """Where the past cannot be read again, a merge and a deletion end with what is known of it."""
        merged = self.facts.of("merged") and not self.facts.of(EVENT)
        if merged or any(fact[1] >= base_at for fact in self.facts.of("erased")):
            self._set_base(b"", None, "")

    def _read_base(self, rules: Rules) -> Base | None:
        if self.base_at is None:
            return None
        same = self._base_rules == rules_mark(rules.fingerprint, rules.program)
        return Base.unpack(self._base, rules.program, self.profile_id, same_rules=same)

    # --- what happens ------------------------------------------------------------------------------------------------

    def handle(self, rules: Rules, messages: Sequence[Message], recorded_at: int) -> list[RowUpdate]:
        """Takes in messages of other stages."""
        prior_now = self._now()
        if self.base_at is not None:
            unseen = [message for message in messages if self._is_behind(message.fact)]
            if unseen:
                self._count_unseen(rules, unseen)
                messages = [message for message in messages if not self._is_behind(message.fact)]
        stood: dict[Fact, bool] = {}
        for message in messages:
            if message.fact != REFRESH:
                stood.setdefault(message.fact, self.facts.count(message.fact) > 0)
                self.facts.take(message.fact, message.sign, message.version)
        if self.base_at is not None and self.horizon is not None and not self.horizon.archive:
            self._drop_base(self.base_at)
        changed = [
            (event_of(fact), did)
            for fact, did in stood.items()
            if fact[0] == EVENT and did is not (self.facts.count(fact) > 0)
        ]
        added = sorted((event for event, did in changed if not did), key=BY_TIME)
        removed = [event for event, did in changed if did]
        reasons = {message.why for message in messages}
        why = next((reason for reason in (DELETED, RETRACTION, MERGE) if reason in reasons), EVENT)
        return self._evaluate(rules, added, removed, prior_now, _CORRECTIONS[why], recorded_at)

    def fire(self, rules: Rules, until: int, recorded_at: int) -> list[RowUpdate]:
        """The watermark has passed `until`, which is not before `due`."""
        prior_now = self._now()
        self.clock = until if self.clock is None else max(until, self.clock)
        return self._evaluate(rules, [], [], prior_now, "late_event", recorded_at)

    # --- what follows ------------------------------------------------------------------------------------------------

    def _now(self) -> int | None:
        if self._engine is not None:
            return self._engine.now
        last = max((fact[1 + TIMESTAMP] for fact in self.facts.of(EVENT)), default=self.base_at)
        return last if self.clock is None or last is None else max(self.clock, last)

    def _evaluate(
        self,
        rules: Rules,
        added: Sequence[Record],
        removed: Sequence[Record],
        prior_now: int | None,
        correction: str,
        recorded_at: int,
    ) -> list[RowUpdate]:
        existed = prior_now is not None
        if self._rules not in ("", rules.fingerprint):
            correction = SEGMENT_CHANGED
            prior_now = None if prior_now is None else prior_now + 1
        self._rules = rules.fingerprint
        self.version += 1
        engine = self._engine
        if engine is None or engine.program is not rules.program:
            engine = ProfileEngine(rules.program, self.profile_id, self._read_base(rules))
            added, removed = sorted(map(event_of, self.facts.of(EVENT)), key=BY_TIME), []
            told = set(self._stays)
        else:
            told = set()
        found = engine.advance(added, removed, self.clock)
        self._engine = None if found is None else engine
        self.counted[counting.PROFILES] += (found is not None) - existed
        self._changes_at = None if found is None else found.due
        self._set_due(self._engine)
        touched = dict.fromkeys(told if found is not None else self._stays) | ({} if found is None else found.touched)
        said = Said(self.profile_id, self._generations, prior_now, correction)
        updates = self._membership_updates(rules, touched, said, recorded_at)
        if found is None:
            return [*updates, *self._nothing_left(recorded_at)]
        return [*updates, *self._profile_update(profile_row(self.profile_id, found), recorded_at)]

    def _set_due(self, engine: ProfileEngine | None) -> None:
        """To the next change, or to when the cell can leave something behind, if that is earlier."""
        self.due = self._changes_at
        settled_by = None if engine is None or self.horizon is None else engine.settled_by(self.horizon.least)
        if settled_by is not None and self.horizon is not None:
            passed = settled_by if self.clock is None else self.clock - self.horizon.age_us + 1
            look = self.horizon.due(self.profile_id, max(settled_by, passed))
            self.due = look if self.due is None else min(look, self.due)

    def _nothing_left(self, recorded_at: int) -> Iterable[RowUpdate]:
        """A profile without events: merged into another, or gone."""
        merged = self.facts.of("merged")
        if merged:
            yield from self._profile_update(merged_profile(self.profile_id, max(merged)[1], 0)[:-2], recorded_at)
        elif self._digest:
            self._digest = b""
            row = (self.profile_id, *(None,) * (len(PROFILES.columns) - 1))
            yield RowUpdate(PROFILES.name, row, self.version, withdrawn=True)

    def _profile_update(self, row: Row, recorded_at: int) -> Iterable[RowUpdate]:
        digest = blake2b(_ENCODER.encode(row), digest_size=8).digest()
        if digest != self._digest:
            self._digest = digest
            yield RowUpdate(PROFILES.name, (*row, self.version, recorded_at), self.version)

    def _membership_updates(
        self, rules: Rules, touched: Mapping[StayKey, MembershipInterval | None], said: Said, recorded_at: int
    ) -> list[RowUpdate]:
        before = {key: self._stays[key] for key in touched if key in self._stays}
        stays = [stay for stay in touched.values() if stay is not None]
        changes = said.compare(before, stays, rules.versions)
        updates: list[RowUpdate] = []
        for key, stay in touched.items():
            was = before.get(key)
            if stay is None:
                if was is not None:
                    del self._stays[key]
                    self._changed_stays.add(key)
                    row = _withdrawn_membership(self.profile_id, key)
                    updates.append(RowUpdate(MEMBERSHIPS.name, row, self.version, withdrawn=True))
                continue
            now = as_stay(stay, rules.versions[stay.segment])
            if was != now:
                self._stays[key] = now
                self._changed_stays.add(key)
                row = membership_row(self.profile_id, stay, rules.versions[stay.segment], recorded_at)
                updates.append(RowUpdate(MEMBERSHIPS.name, row, self.version))
        for change in changes:
            # Strictly growing, so that the log can be read in the order in which it was said.
            self._recorded_at = max(recorded_at, self._recorded_at + 1)
            updates.append(
                RowUpdate(MEMBERSHIP_CHANGES.name, change_row(self.profile_id, change, self._recorded_at), self.version)
            )
        return updates


def profile_row(profile_id: str, found: Evaluation) -> Row:
    """The row of `profiles` without version and recorded_at."""
    summary = found.summary
    return (
        *(profile_id, user_id_of(profile_id), summary.anonymous_ids),
        *found.typed,
        *(found.traits, found.computed, found.members),
        *(summary.first_seen_at, summary.last_seen_at, summary.event_count, None),
    )


def _withdrawn_membership(profile_id: str, key: StayKey) -> Row:
    return (profile_id, *key, *(None,) * (len(MEMBERSHIPS.columns) - 3))
