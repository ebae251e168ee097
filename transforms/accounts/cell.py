"""Stage `accounts`: one account, what its users tell it, and the rows that follow.

It is evaluated as a profile is (profiles/history_cell.py), by the same engine. "Now" is the later of the last event of
any user and the last instant that the account's timer told. While users are told anew, by other rules than these, the
account waits until all of them are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.event import MESSAGE_ID, NAME, TYPE
from schemas.tables import ACCOUNTS as TABLE
from transforms.accounts.contribution import EPOCH, USER
from transforms.accounts.engine import AccountEngine, AccountEvaluation
from transforms.accounts.people import People
from transforms.profiles.evaluate import Rules
from transforms.profiles.history import BY_TIME
from transforms.profiles.history_cell import REFRESH, HistoryCell, correction_of
from transforms.profiles.rows import Row
from transforms.profiles.stay_list import StayKey
from transforms.records import Record
from transforms.segments.nodes.quantifier import QuantifierNode
from transforms.segments.nodes.state import MEMBER, EventView
from transforms.segments.program import Program
from transforms.state.cell import Output
from transforms.state.facts import EVENT, SEGMENT_CHANGED, Fact, Message, event_of

_USER_OF_EVENT, _EPOCH_OF_EVENT = -2, -1


class AccountCell(HistoryCell):
    """Facts: events, ("user", ...) and ("epoch", ...) as transforms/accounts/contribution.py tells them."""

    table = TABLE
    _takes_first = False
    _engine: AccountEngine | None

    def __init__(self, group_id: str) -> None:
        super().__init__(f"account:{group_id}")
        self._people: People | None = None
        self._epochs: dict[str, int] = {}

    def program_of(self, rules: Rules) -> Program:
        return rules.accounts.account

    def fingerprint_of(self, rules: Rules) -> str:
        return rules.accounts.fingerprint

    def apply(self, change: bytes | memoryview) -> None:
        super().apply(change)
        self._people, self._epochs = None, {}
        for _, user, epoch in self.facts.of(EPOCH):
            self._epochs[user] = max(epoch, self._epochs.get(user, 0))

    def needs_past(self, rules: Rules, messages: Iterable[Message] = ()) -> bool:
        messages = tuple(messages)
        told_anew = self.base_at is not None and any(message.fact[0] == EPOCH for message in messages)
        return told_anew or super().needs_past(rules, messages)

    def restore(self, past: Iterable[bytes]) -> None:
        super().restore(past)
        self._drop_former()

    # --- what happens ------------------------------------------------------------------------------------------------

    def handle(self, rules: Rules, messages: Sequence[Message], recorded_at: int) -> list[Output]:
        prior_now = self._now()
        _, correction = correction_of(messages)
        forgotten = self._take_epochs(messages)
        messages = [one for one in messages if one.fact[0] != EPOCH and not self._is_former(one.fact)]
        people = self._users()
        stood = {one.fact: self._stands(one.fact) for one in messages if one.fact[0] == USER}
        came, went = self._take_in(one for one in messages if not self._is_behind(one.fact))
        for fact in sorted(stood, key=stood.__getitem__):  # those that come first: the last of all may be among them
            if self._stands(fact) is not stood[fact]:
                (people.remove if stood[fact] else people.add)(fact)
        if self.base_at is not None and not self._keeps_past():
            self._change_base(rules, forgotten, [one.fact for one in messages if one.sign > 0])
        return self._evaluate(rules, came, went, prior_now, correction, recorded_at)

    def fire(self, rules: Rules, until: int, recorded_at: int) -> list[Output]:
        prior_now = self._now()
        self.clock = until if self.clock is None else max(until, self.clock)
        return self._evaluate(rules, [], [], prior_now, "late_event", recorded_at)

    def _take_epochs(self, messages: Iterable[Message]) -> set[str]:
        """Notes in which epoch each user is, and drops what was told in earlier ones.

        Returns:
            The users of whom nothing that is not told again is true any more, whatever the rules.
        """
        later, forgotten = False, set[str]()
        for message in messages:
            if message.fact[0] == EPOCH:
                self.facts.take(message.fact, message.sign)
                _, user, epoch = message.fact
                if message.sign > 0 and epoch > self._epochs.get(user, 0):
                    self._epochs[user], later = epoch, True
                    forgotten |= {user} if message.why != SEGMENT_CHANGED else set()
        if later:
            self._drop_former()
        return forgotten

    def _drop_former(self) -> None:
        for kind in (EVENT, USER):
            for fact in self.facts.counted_of(kind):
                if self._is_former(fact):
                    self.facts.forget(fact)
        self._people, self._engine = None, None

    def _is_former(self, fact: Fact) -> bool:
        return fact != REFRESH and _epoch(fact) < self._epochs.get(_user(fact), 0)

    def _stands(self, fact: Fact) -> bool:
        """It was told, in the epoch of its user; the word of a later one may be on its way."""
        return self.facts.count(fact) > 0 and _epoch(fact) == self._epochs.get(_user(fact), 0)

    def _change_base(self, rules: Rules, forgotten: set[str], told: Iterable[Fact]) -> None:
        """Where the past cannot be read again, the base forgets users, and learns answers from before it."""
        answers = sorted((event_of(fact) for fact in told if self._is_behind(fact) and _is_answer(fact)), key=BY_TIME)
        base, program = self._read_base(rules), rules.accounts.account
        if base is None or not (forgotten or answers):
            return
        for node in program.nodes:
            if isinstance(node, QuantifierNode):
                node.forget(base.state, forgotten)
        for event in answers:
            view = EventView(event)
            for node, role in program.route(event[TYPE], event[NAME]):
                node.absorb(base.state, view, role)
        base.take_over(program)
        self._set_base(base.pack(program), base.now, self._mark(rules))
        if not self._users():
            self._set_base(b"", None, "")

    def _users(self) -> People:
        if self._people is None:
            self._people = People()
            for fact in self.facts.of(USER):
                if self._stands(fact):
                    self._people.add(fact)
        return self._people

    # --- what follows ------------------------------------------------------------------------------------------------

    def _now(self) -> int | None:
        if self._engine is not None:
            return self._engine.now
        people = self._users()
        known = (people.last_seen_at() if people else None, self.clock, self.base_at)
        return max(at for at in known if at is not None) if people else None

    def _keeps_past(self) -> bool:
        return self.horizon is None or self.horizon.archive

    def _evaluate(
        self,
        rules: Rules,
        came: Sequence[Record],
        went: Sequence[Record],
        prior_now: int | None,
        correction: str,
        recorded_at: int,
    ) -> list[Output]:
        people, program = self._users(), rules.accounts.account
        if not people.all_told_by(rules.accounts.fingerprint):
            self._engine = self.due = self.changes_at = None
            return []
        prior_now, correction = self._started_again(rules, prior_now, correction)
        if not people:
            return self._nothing_left(prior_now, correction, recorded_at)
        engine, told = self._engine, set[StayKey]()
        if engine is None or engine.program is not program:
            engine = self._engine = AccountEngine(program, self.profile_id, self._read_base(rules))
            came, went, told = self._standing(), [], set(self._stays)
        last = people.last_seen_at()
        found = engine.advance(came, went, last if self.clock is None else max(last, self.clock))
        touched = dict.fromkeys(told) | found.touched
        outputs = self._membership_updates(rules.account_versions, touched, prior_now, correction, recorded_at)
        outputs += self._row_update(account_row(self.profile_id, people, found), recorded_at)
        self.changes_at = found.due
        self._set_due(engine)
        return outputs

    def _nothing_left(self, prior_now: int | None, correction: str, recorded_at: int) -> list[Output]:
        """An account without users: there is none, or they have yet to tell of themselves again."""
        self._engine = None
        self.due = self.changes_at = None
        outputs = self._membership_updates({}, dict.fromkeys(self._stays), prior_now, correction, recorded_at)
        return [*outputs, *self._no_row()]


def _is_answer(fact: Fact) -> bool:
    return bool(fact[1 + TYPE] == MEMBER and not fact[1 + MESSAGE_ID])


def _user(fact: Fact) -> str:
    user: str = fact[1] if fact[0] == USER else fact[_USER_OF_EVENT]
    return user


def _epoch(fact: Fact) -> int:
    epoch: int = fact[2] if fact[0] == USER else fact[_EPOCH_OF_EVENT]
    return epoch


def account_row(account_id: str, people: People, found: AccountEvaluation) -> Row:
    """The row of `accounts` without version and recorded_at."""
    seen = (len(people), people.first_seen_at(), people.last_seen_at(), people.event_count)
    return (account_id, found.traits, found.computed, found.members, *seen)
