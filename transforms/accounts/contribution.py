"""What a profile tells the accounts that it is in, kept up to date while its events come and go.

An account is told of each user as facts: that the user is in it, the events that its rules read, and what ANY and ALL
come to for the user, also what time alone will bring. Each time the profile changes, the accounts are told the
difference; what an account comes to follows from the facts alone, in whatever order they reach it.

Under new rules everything is told anew, in a new epoch: a fact names its user's epoch, and an account drops those of
earlier ones. So nobody has to know what was told under rules that are gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from schemas.event import TIMESTAMP
from transforms.accounts.following import Following
from transforms.accounts.rules import AccountRules
from transforms.accounts.told import (
    Answer,
    AnswerKey,
    answer_event,
    as_account_takes,
    groups_of,
    mentions_of,
    puts_into,
    told_answers,
)
from transforms.records import Record
from transforms.state.cell import Target, difference
from transforms.state.facts import EVENT, SEGMENT_CHANGED, Message, event_fact

ACCOUNTS = "accounts"
"""The stage that is told."""
USER = "user"
EPOCH = "epoch"
"""Kinds of facts beside events: ("user", profile id, epoch, fingerprint of the rules, joined_at, last_seen_at, number
of events) and ("epoch", profile id, epoch), where that is not 0. An event has the profile id and the epoch at its end.
"""


class Group(msgspec.Struct, array_like=True, frozen=True):
    """What an account was told of the user last. Instants in microseconds; events count from `joined_at` on."""

    joined_at: int
    last_seen_at: int
    event_count: int


@dataclass(frozen=True, slots=True)
class Change:
    """What has happened to a profile.

    Attributes:
        records: all of its events from `base_at` on, in order.
        came, went: those that differ from the last time.
        now: up to where the profile is told; None: there is no event left.
        last_seen_at: its last event.
        base_at: up to where its events have been left behind; None: nowhere.
        why: as in a message.
        keeps_past: whether what was left behind can be read again.
    """

    records: Callable[[], Sequence[Record]]
    came: Sequence[Record]
    went: Sequence[Record]
    now: int | None
    last_seen_at: int
    base_at: int | None
    why: str
    keeps_past: bool


class _Answers(NamedTuple):
    """The answers now, and those that have changed, with what they were."""

    now: dict[AnswerKey, Answer]
    before: dict[AnswerKey, Answer | None]


class _Packed(msgspec.Struct, array_like=True):
    epoch: int
    rules: str
    groups: dict[str, Group]
    marked: list[str]
    following: bytes


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Packed)


class Contribution:
    """Of one profile. `groups`: the accounts that were told of it."""

    def __init__(self, profile_id: str) -> None:
        self.groups: dict[str, Group] = {}
        self.following = Following(profile_id)
        self._profile_id = profile_id
        self._epoch = 0
        self._rules = ""
        self._marked: set[str] = set()
        self._uncounted: list[tuple[int, int]] = []
        self._forgotten = False

    @property
    def due(self) -> int | None:
        """When an answer changes by itself."""
        return self.following.due

    def pack(self, *, whole: bool) -> bytes:
        """Everything, or of the answers only those that have changed; nothing where there is nothing."""
        following = self.following.pack(whole=whole)
        if not (self.groups or self._marked or following):
            return b""
        return _ENCODER.encode(_Packed(self._epoch, self._rules, self.groups, sorted(self._marked), following))

    def apply(self, packed: bytes) -> None:
        """Takes in what `pack` gave."""
        if not packed:
            self.groups = {}
            return
        found = _DECODER.decode(packed)
        self._epoch, self._rules, self.groups = found.epoch, found.rules, found.groups
        self._marked = set(found.marked)
        self.following.apply(found.following)

    # --- what has settled ---------------------------------------------------------------------------------------------

    def needs_past(self, rules: AccountRules, came: Iterable[Record]) -> bool:
        """Whether what the profile has left behind is needed to tell of it."""
        if self.groups and (self._rules != rules.fingerprint or not self.following.can_go_on(rules)):
            return True
        return bool(rules.asked) and not self.following.has_base and bool(groups_of(came))

    def count_unseen(self, record: Record, sign: int) -> None:
        """Counts an event that came or went after it could still be taken in."""
        self._uncounted.append((record[TIMESTAMP], sign))

    def forget(self) -> None:
        """What was left behind is gone, and what the accounts know of it with it."""
        self._forgotten = bool(self.groups)
        self.following.drop_base()

    # --- what is told -------------------------------------------------------------------------------------------------

    def tell(self, rules: AccountRules, change: Change) -> list[Message]:
        """What the accounts have to know now."""
        before, anew = self.groups, bool(self.groups) and (self._forgotten or self._rules != rules.fingerprint)
        joined = self._joined(change)
        follows = change.now is not None and bool(rules.asked) and (bool(joined) or not change.keeps_past)
        changed = self.following.advance(rules, change) if follows else self.following.stop()
        uncounted, self._uncounted = self._uncounted, []
        if not joined and not before:
            return []
        answers = _Answers(self.following.answers, changed)
        self.groups = {group_id: self._group(group_id, at, change, uncounted) for group_id, at in joined.items()}
        self._forgotten, self._rules = False, rules.fingerprint
        if anew:
            return self._tell_anew(rules, before, change, answers)
        messages = [message for one in sorted(joined.keys() - self._marked) for message in self._mark(one, self._epoch)]
        for group_id in sorted(before.keys() | self.groups.keys()):
            messages += self._differences(rules, group_id, before.get(group_id), change, answers)
        return messages

    def _joined(self, change: Change) -> dict[str, int]:
        """Since when the profile has been in which account."""
        if self._forgotten:
            return _joins(change.records(), groups_of(change.records()))
        joined = {group_id: group.joined_at for group_id, group in self.groups.items()}
        asked = groups_of(change.came) | groups_of(change.went)
        found = _joins(change.records(), asked) if asked else {}
        for group_id in asked:
            at = joined.pop(group_id, None)
            if at is not None and change.base_at is not None and at <= change.base_at:
                joined[group_id] = at
            elif group_id in found:
                joined[group_id] = found[group_id]
        return joined

    def _group(self, group_id: str, joined_at: int, change: Change, uncounted: Iterable[tuple[int, int]]) -> Group:
        known = self.groups.get(group_id)
        if known is None or known.joined_at != joined_at or self._forgotten:
            count = sum(record[TIMESTAMP] >= joined_at for record in change.records())
        else:
            count = known.event_count + sum(sign for at, sign in uncounted if at >= joined_at)
            count += sum(record[TIMESTAMP] >= joined_at for record in change.came)
            count -= sum(record[TIMESTAMP] >= joined_at for record in change.went)
        return Group(joined_at, change.last_seen_at, count)

    def _tell_anew(
        self, rules: AccountRules, before: dict[str, Group], change: Change, answers: _Answers
    ) -> list[Message]:
        """Everything, in a new epoch."""
        self._epoch += 1
        messages: list[Message] = []
        why = SEGMENT_CHANGED if change.why == EVENT else change.why
        for group_id in sorted(before.keys() | self.groups.keys() | self._marked):
            messages += self._mark(group_id, self._epoch, why)
        for group_id, group in sorted(self.groups.items()):
            told = Counter(self._targets(rules, group_id, group.joined_at, change.records(), answers.now))
            told[self._user(group_id, group)] += 1
            messages += difference(Counter(), told, why)
        return messages

    def _mark(self, group_id: str, epoch: int, why: str = EVENT) -> Iterator[Message]:
        """Tells an account in which epoch the profile is; in the first one it takes that for granted."""
        if epoch:
            if group_id in self._marked:
                yield Message(ACCOUNTS, group_id, (EPOCH, self._profile_id, epoch - 1), -1, 0, why)
            self._marked.add(group_id)
            yield Message(ACCOUNTS, group_id, (EPOCH, self._profile_id, epoch), 1, 0, why)

    def _differences(
        self, rules: AccountRules, group_id: str, was: Group | None, change: Change, answers: _Answers
    ) -> list[Message]:
        """What has changed for one account, in the same epoch."""
        group = self.groups.get(group_id)
        taken: Counter[Target] = Counter()
        told: Counter[Target] = Counter()
        joined_at = None if was is None else was.joined_at
        now_at = None if group is None else group.joined_at
        if joined_at == now_at and joined_at is not None and all(at > joined_at for _, at in answers.before):
            taken.update(self._events(rules, group_id, joined_at, change.went))
            told.update(self._events(rules, group_id, joined_at, change.came))
            taken.update(self._answers(group_id, {key: answers.before[key] for key in answers.before}))
            told.update(self._answers(group_id, {key: answers.now.get(key) for key in answers.before}))
        else:
            records = change.records()
            if joined_at is not None:
                known = answers.now | {key: found for key, found in answers.before.items() if found is not None}
                known = {key: found for key, found in known.items() if answers.before.get(key, found) is not None}
                former = Counter(self._targets(rules, group_id, joined_at, records, known))
                former.subtract(self._events(rules, group_id, joined_at, change.came))
                former.update(self._events(rules, group_id, joined_at, change.went))
                taken = former
            if now_at is not None:
                told.update(self._targets(rules, group_id, now_at, records, answers.now))
        if was != group:
            taken.update([self._user(group_id, was)] if was is not None else ())
            told.update([self._user(group_id, group)] if group is not None else ())
        return difference(taken, told, change.why)

    # --- facts --------------------------------------------------------------------------------------------------------

    def _targets(
        self,
        rules: AccountRules,
        group_id: str,
        joined_at: int,
        records: Iterable[Record],
        answers: dict[AnswerKey, Answer],
    ) -> Iterator[Target]:
        yield from self._events(rules, group_id, joined_at, records)
        for event in told_answers(answers, self._profile_id, joined_at):
            yield self._labelled(group_id, event)

    def _events(
        self, rules: AccountRules, group_id: str, joined_at: int, records: Iterable[Record]
    ) -> Iterator[Target]:
        """Of the user's events those that the account's rules read, and mentions."""
        for record in records:
            if record[TIMESTAMP] >= joined_at:
                taken = as_account_takes(record, group_id)
                if taken is not None and rules.account.concerned((taken,)):
                    yield self._labelled(group_id, taken)
                for mention in mentions_of(record, rules):
                    yield self._labelled(group_id, mention)

    def _answers(self, group_id: str, answers: dict[AnswerKey, Answer | None]) -> Iterator[Target]:
        for (rule, at), answer in answers.items():
            if answer is not None:
                yield self._labelled(group_id, answer_event(rule, at, self._profile_id, answer))

    def _labelled(self, group_id: str, event: Iterable[object]) -> Target:
        return ACCOUNTS, group_id, (*event_fact(event), self._profile_id, self._epoch)

    def _user(self, group_id: str, group: Group) -> Target:
        seen = (group.joined_at, group.last_seen_at, group.event_count)
        return ACCOUNTS, group_id, (USER, self._profile_id, self._epoch, self._rules, *seen)


def _joins(records: Iterable[Record], group_ids: Iterable[str]) -> dict[str, int]:
    """The first instant at which the profile is put into each."""
    found: dict[str, int] = {}
    wanted = set(group_ids)
    for record in records:
        for group_id in groups_of((record,)) & wanted:
            if puts_into(record, group_id):
                found[group_id] = min(record[TIMESTAMP], found.get(group_id, record[TIMESTAMP]))
    return found
