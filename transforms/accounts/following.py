"""What the rules inside ANY and ALL come to for one profile as its events come and go: up to now, and ahead by time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from transforms.accounts.rules import AccountRules
from transforms.accounts.told import Answer, AnswerKey, answers_ahead
from transforms.profiles.base import Base, rules_mark
from transforms.profiles.history_engine import HistoryEngine
from transforms.profiles.stay_list import StayKey
from transforms.records import Record
from transforms.segments.replay import MembershipInterval

_Flat = tuple[str, int, bool | None, list[tuple[int, str]]]
"""(rule, instant, answer or None for one that is gone, witness)."""


class Happened(Protocol):
    """What has happened to the profile; `contribution.Change` is such a one."""

    @property
    def came(self) -> Sequence[Record]: ...
    @property
    def went(self) -> Sequence[Record]: ...
    @property
    def now(self) -> int | None: ...
    def records(self) -> Sequence[Record]: ...


class _Packed(msgspec.Struct, array_like=True):
    answers: list[_Flat]
    base: bytes | None
    base_rules: str


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Packed)
_PAST_DECODER = msgspec.msgpack.Decoder(list[_Flat])


class Following:
    """The answers of one profile that its accounts were told, those ahead included.

    An engine of its own steps through the profile's events, from a base of its own on where the profile has left its
    oldest events behind; it stands at the same instant as the profile's.
    """

    def __init__(self, profile_id: str) -> None:
        self.answers: dict[AnswerKey, Answer] = {}
        self._profile_id = profile_id
        self._engine: HistoryEngine | None = None
        self._base = b""
        self._base_rules = ""
        self._changed: set[AnswerKey] = set()
        self._ahead: set[AnswerKey] = set()

    @property
    def due(self) -> int | None:
        return None if self._engine is None else self._engine.next_change()

    @property
    def has_base(self) -> bool:
        return bool(self._base)

    def can_go_on(self, rules: AccountRules) -> bool:
        """Whether the base is of use under these rules, if there is one."""
        return not self._base or self._base_rules == _mark(rules)

    # --- as bytes ----------------------------------------------------------------------------------------------------

    def pack(self, *, whole: bool) -> bytes:
        keys = self.answers.keys() if whole else self._changed
        answers = [_flat(key, self.answers.get(key)) for key in keys]
        self._changed = set()
        if not (answers or self.answers or self._base):
            return b""
        return _ENCODER.encode(_Packed(answers, self._base if whole else None, self._base_rules))

    def apply(self, packed: bytes) -> None:
        if not packed:
            self.answers = {}
            return
        found = _DECODER.decode(packed)
        self._take_back(found.answers)
        self._base_rules = found.base_rules
        if found.base is not None:
            self._base = found.base

    def _take_back(self, answers: Sequence[_Flat]) -> None:
        for rule, at, holds, witness in answers:
            if holds is None:
                self.answers.pop((rule, at), None)
            else:
                self.answers[rule, at] = Answer(holds, tuple(witness))

    # --- what has settled ---------------------------------------------------------------------------------------------

    def drop_base(self) -> None:
        self._base, self._base_rules, self._engine = b"", "", None

    def restore(self, past: bytes) -> None:
        """Takes back what was left behind; the base is dropped."""
        if past:
            self._take_back(_PAST_DECODER.decode(past))
        self.drop_base()

    def leave_behind(self, rules: AccountRules, until: int) -> bytes:
        """Leaves the events up to `until`, and the answers that were over by then: those, packed."""
        engine = self._engine
        if engine is None:
            return b""
        base = engine.leave_behind(until)
        self._base, self._base_rules = base.pack(rules.users), _mark(rules)
        lasting: dict[str, int] = {}
        for rule, at in self.answers:
            if at <= until:
                lasting[rule] = max(at, lasting.get(rule, at))
        over = [(rule, at) for rule, at in self.answers if at < lasting.get(rule, at)]
        return _ENCODER.encode([_flat(key, self.answers.pop(key)) for key in over])

    # --- what happens ------------------------------------------------------------------------------------------------

    def stop(self) -> dict[AnswerKey, Answer | None]:
        """Forgets everything: the answers that there were."""
        self.drop_base()
        self._ahead = set()
        return self._replace(dict.fromkeys(self.answers))

    def advance(self, rules: AccountRules, happened: Happened) -> dict[AnswerKey, Answer | None]:
        """Takes events in and out, and lets time pass: the answers that have changed, with what they were."""
        engine, came, went = self._engine, happened.came, happened.went
        is_new = engine is None or engine.program is not rules.users
        if engine is None or is_new:
            engine = self._engine = HistoryEngine(rules.users, self._profile_id, self._read_base(rules))
            came, went = happened.records(), ()
        everything = engine.take(came, went)
        concerned = engine.go(happened.now or 0, everything=everything)
        touched = engine.take_touched()
        if not (touched or concerned.segments or is_new):
            return {}
        found: dict[AnswerKey, Answer | None] = dict.fromkeys(self.answers if is_new else self._ahead)
        _take_touched(rules, touched, found)
        ahead = dict(answers_ahead(rules, engine.fork()))
        self._ahead = set(ahead)
        found.update(ahead)
        return self._replace(found)

    def _read_base(self, rules: AccountRules) -> Base | None:
        if not self._base:
            return None
        same = self._base_rules == _mark(rules)
        return Base.unpack(self._base, rules.users, self._profile_id, same_rules=same)

    def _replace(self, found: dict[AnswerKey, Answer | None]) -> dict[AnswerKey, Answer | None]:
        before: dict[AnswerKey, Answer | None] = {}
        for key, answer in found.items():
            was = self.answers.get(key)
            if was != answer:
                before[key] = was
                self._changed.add(key)
                if answer is None:
                    del self.answers[key]
                else:
                    self.answers[key] = answer
        return before


def _take_touched(
    rules: AccountRules, touched: dict[StayKey, MembershipInterval | None], found: dict[AnswerKey, Answer | None]
) -> None:
    """Stays in the segments that stand for the rules, as answers. At one instant a rule has one."""
    for (segment, at), stay in touched.items():
        if segment in rules.asked:
            rule, holds = rules.asked[segment]
            if stay is None:
                found.setdefault((rule, at), None)
            else:
                found[rule, at] = Answer(holds, tuple(zip(stay.times, stay.message_ids, strict=True)))


def _mark(rules: AccountRules) -> str:
    return rules_mark(rules.fingerprint, rules.users)


def _flat(key: AnswerKey, answer: Answer | None) -> _Flat:
    return (*key, None, []) if answer is None else (*key, answer.holds, list(answer.witness))
