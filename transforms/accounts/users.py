"""A user of an account: what ANY and ALL come to for them, at each instant at which that may change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import orjson

from schemas.event import MESSAGE_ID, TIMESTAMP, Event
from transforms.accounts.rules import AccountRules
from transforms.records import Record
from transforms.segments.engine import step
from transforms.segments.nodes.state import MEMBER, EventTuple, EventView, State
from transforms.segments.replay import run


class _Answer(NamedTuple):
    """A rule inside ANY or ALL holds for a user, or does not, by these events."""

    holds: bool
    witness: tuple[tuple[int, str], ...]


class AccountUser:
    """One profile in one account, from `joined_at` on. `records`: all of its events until `as_of`, in order."""

    def __init__(self, rules: AccountRules, profile_id: str, records: Sequence[Record], joined_at: int) -> None:
        self.profile_id = profile_id
        self.joined_at = joined_at
        self.state = State(profile_id)
        self._rules = rules
        self._times = {record[MESSAGE_ID]: record[TIMESTAMP] for record in records} if rules.asked else {}
        self._latest: dict[str, _Answer] = {}

    def told_until(self, records: Sequence[Record], as_of: int) -> Iterator[EventTuple]:
        """What the account is told: how things stand when the user is put in, and every instant that may change it."""
        if not self._rules.asked:
            return
        run(self._rules.users, self.state, records, as_of)
        answers = self._take_answers()
        mentioned = self._mentioned(records)
        for at in sorted({*answers, *mentioned, self.joined_at}):
            self._latest.update(answers.get(at, {}))
            if at == self.joined_at:
                yield from self._tell(at, self._latest, mentioned.get(at, {}))
            elif at > self.joined_at:
                found = mentioned.get(at, {})
                yield from self._tell(at, {*answers.get(at, {}), *found}, found)

    def told_at(self, now: int) -> list[EventTuple]:
        """Lets time pass until `now`, without events."""
        step(self._rules.users, self.state, now, ())
        answers = self._take_answers().get(now, {})
        self._latest.update(answers)
        return list(self._tell(now, answers, {}))

    def _take_answers(self) -> dict[int, dict[str, _Answer]]:
        """By instant and rule."""
        found: dict[int, dict[str, _Answer]] = {}
        for change in self.state.changes:
            if change.entered and change.segment in self._rules.asked:
                rule, holds = self._rules.asked[change.segment]
                witness = tuple((self._times[message_id], message_id) for message_id in change.message_ids)
                found.setdefault(change.at, {})[rule] = _Answer(holds, witness)
        self.state.changes = []
        return found

    def _mentioned(self, records: Sequence[Record]) -> dict[int, dict[str, list[str]]]:
        """By instant and rule, the events that the rule mentions."""
        found: dict[int, dict[str, list[str]]] = {}
        for record in records:
            if record[TIMESTAMP] < self.joined_at:
                continue
            view = EventView(record)
            for rule, mentions in self._rules.mentions.items():
                if mentions.concerns(view):
                    found.setdefault(record[TIMESTAMP], {}).setdefault(rule, []).append(record[MESSAGE_ID])
        return found

    def _tell(self, at: int, rules: Iterable[str], ids: dict[str, list[str]]) -> Iterator[EventTuple]:
        for rule in sorted(rules):
            holds, witness = self._latest[rule]
            said = {"user": self.profile_id, "holds": holds, "witness": witness, "ids": ids.get(rule, [])}
            properties = orjson.dumps(said)
            yield Event("", at, MEMBER, rule, None, None, None, None, None, properties, None, None)
