"""A user of an account: what ANY and ALL come to for them, at each instant at which that may change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transforms.accounts.ahead import Turn
from transforms.accounts.rules import AccountRules
from transforms.accounts.told import answers_ahead, answers_of, told_answers
from transforms.records import Record
from transforms.segments.nodes.state import EventTuple, State
from transforms.segments.replay import run


class AccountUser:
    """One profile in one account, from `joined_at` on. `records`: all of its events until `as_of`, in order."""

    def __init__(self, rules: AccountRules, profile_id: str, records: Sequence[Record], joined_at: int) -> None:
        self.profile_id = profile_id
        self.joined_at = joined_at
        self._rules = rules
        self._records = records
        self._state = State(profile_id)

    def answers(self, as_of: int) -> Iterator[EventTuple]:
        """What the account is told of the user's answers until then."""
        if self._rules.asked:
            run(self._rules.users, self._state, self._records, as_of)
            yield from told_answers(dict(answers_of(self._state.changes, self._rules)), self.profile_id, self.joined_at)

    def turns_ahead(self) -> Iterator[Turn]:
        """What time alone will bring after that. Once: it is looked for in the state of `answers`."""
        for (rule, at), answer in answers_ahead(self._rules, self._state):
            yield at, rule, 1 if answer.holds else -1
