"""What an account is told of a user, as events: what the user did, and what the rules inside ANY and ALL come to.

Of the user's own events the account takes tracks, pages and screens, and the `group` events that put the user into it,
as an `identify` that writes the account's traits. Beside them it is told events of type `member`: an answer each time
that a rule begins or ceases to hold for the user, and a mention of each event that such a rule reads
(transforms/segments/nodes/quantifier.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import orjson

from schemas.event import GROUP_ID, MESSAGE_ID, TIMESTAMP, TRAITS, TYPE, Event
from transforms.accounts.rules import AccountRules
from transforms.records import Record
from transforms.segments.engine import step
from transforms.segments.nodes.state import MEMBER, Change, EventTuple, EventView, State
from transforms.segments.replay import MAX_STEPS_AHEAD

MOST_ANSWERS_AHEAD = 100
"""How many answers of one user, that time alone will bring, are looked at to know when an account will leave."""
_TAKEN = frozenset({"track", "page", "screen"})


class Answer(NamedTuple):
    """A rule inside ANY or ALL holds for a user, or does not, by these events: (timestamp, message id)."""

    holds: bool
    witness: tuple[tuple[int, str], ...]


AnswerKey = tuple[str, int]
"""(name of the rule, the instant from which on it is the answer)."""


def puts_into(record: Record, group_id: str) -> bool:
    """Whether it is one of the events by which a user is in the account."""
    return bool(record[TYPE] == "group" and record[GROUP_ID] == group_id)


def groups_of(records: Iterable[Record]) -> set[str]:
    """The accounts that a profile was ever put into."""
    return {record[GROUP_ID] for record in records if record[TYPE] == "group" and record[GROUP_ID]}


def as_account_takes(record: Record, group_id: str) -> EventTuple | None:
    """A user's event as the account takes it; None for one that it does not take."""
    if puts_into(record, group_id):
        written = list(record)
        written[TYPE], written[TRAITS] = "identify", record[TRAITS] or b"{}"
        return tuple(written)
    return tuple(record) if record[TYPE] in _TAKEN else None


def mentions_of(record: Record, rules: AccountRules) -> Iterator[EventTuple]:
    """One for each rule inside ANY or ALL that mentions the event."""
    if rules.mentions:
        view = EventView(record)
        for rule, mentions in rules.mentions.items():
            if mentions.concerns(view):
                yield _member(record[MESSAGE_ID], record[TIMESTAMP], rule, None)


def answers_of(changes: Iterable[Change], rules: AccountRules) -> Iterator[tuple[AnswerKey, Answer]]:
    """What the memberships of a user in the segments that stand for the rules say."""
    for change in changes:
        if change.entered and change.segment in rules.asked:
            rule, holds = rules.asked[change.segment]
            yield (rule, change.at), Answer(holds, tuple(zip(change.times, change.message_ids, strict=True)))


def answers_ahead(rules: AccountRules, state: State) -> Iterator[tuple[AnswerKey, Answer]]:
    """What time alone will bring, in order; the state is used up by it."""
    found = 0
    for _ in range(MAX_STEPS_AHEAD):
        due = state.next_due()
        if due is None or found >= MOST_ANSWERS_AHEAD:
            return
        state.changes = []
        step(rules.users, state, due, ())
        for answer in answers_of(state.changes, rules):
            found += 1
            yield answer


def told_answers(answers: Mapping[AnswerKey, Answer], profile_id: str, joined_at: int) -> Iterator[EventTuple]:
    """Answers as events: how things stand when the user is put in, and each change after that."""
    first: dict[str, Answer] = {}
    for (rule, at), answer in sorted(answers.items(), key=lambda item: item[0][1]):
        if at > joined_at:
            yield answer_event(rule, at, profile_id, answer)
        else:
            first[rule] = answer
    for rule, answer in first.items():
        yield answer_event(rule, joined_at, profile_id, answer)


def answer_event(rule: str, at: int, profile_id: str, answer: Answer) -> EventTuple:
    """The event that tells it."""
    said = {"user": profile_id, "holds": answer.holds, "witness": answer.witness}
    # A copy: what orjson gives has a kilobyte allocated for it, whatever its length.
    return _member("", at, rule, bytes(memoryview(orjson.dumps(said))))


def shift_event(rule: str, at: int, by: int) -> EventTuple:
    """Says only for how many users more the rule holds: enough to know what will be."""
    return _member("", at, rule, orjson.dumps({"shift": by}))


def _member(message_id: str, at: int, rule: str, properties: bytes | None) -> EventTuple:
    return tuple(Event(message_id, at, MEMBER, rule, None, None, None, None, None, properties, None, None))
