"""One account's history, from its users' events to its rows. Pure.

The account is evaluated like a profile, by the same step function: its group events write its traits, as `identify`
does a person's; of its users it takes the events from the instant on at which each was put into it; and what ANY and
ALL ask is told by each user as it changes (users.py).
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from schemas.event import TIMESTAMP
from transforms.accounts.ahead import Turn, crossings, with_expiry
from transforms.accounts.rules import AccountRules
from transforms.accounts.told import as_account_takes, groups_of, mentions_of, puts_into
from transforms.accounts.users import AccountUser
from transforms.profiles.history import BY_TIME
from transforms.profiles.rows import Row, change_rows, json_object, membership_row
from transforms.records import Record
from transforms.segments.nodes.state import EventTuple, State
from transforms.segments.replay import MembershipInterval, computed_traits, intervals_of, run


class AccountHistory(NamedTuple):
    """Rows of `accounts`, `memberships` and `membership_changes`."""

    account: Row
    memberships: list[Row]
    changes: list[Row]


def accounts(
    histories: Mapping[str, Sequence[Record]], rules: AccountRules, as_of: int
) -> Iterator[tuple[str, AccountHistory]]:
    """Every account that exists at `as_of`, by its group id.

    Args:
        histories: the events of each profile, whoever they belong to after links, aliases and erasures; in order.
        rules: what to evaluate.
        as_of: later events do not count.
    """
    for group_id, users in sorted(by_account(histories).items()):
        history = build_account(group_id, users, rules, as_of)
        if history is not None:
            yield group_id, history


def by_account(histories: Mapping[str, Sequence[Record]]) -> dict[str, dict[str, Sequence[Record]]]:
    """The histories of the users of each account."""
    found: dict[str, dict[str, Sequence[Record]]] = {}
    for profile_id, records in histories.items():
        for group_id in groups_of(records):
            found.setdefault(group_id, {})[profile_id] = records
    return found


@dataclass(slots=True)
class ToldAccount:
    """What an account is told of its users until an instant: `events`, in order, and what its row tells of them."""

    members: list[AccountUser]
    events: list[EventTuple]
    event_count: int
    last_seen_at: int

    @property
    def first_seen_at(self) -> int:
        return min(user.joined_at for user in self.members)

    def turns_ahead(self) -> Iterator[Turn]:
        """What time alone will bring to its users after that, in order."""
        return heapq.merge(*(user.turns_ahead() for user in self.members))


def tell_account(
    group_id: str, users: Mapping[str, Sequence[Record]], rules: AccountRules, as_of: int
) -> ToldAccount | None:
    """Tells an account of its users; None if it does not exist yet at `as_of`."""
    told = ToldAccount([], [], 0, 0)
    for profile_id, history in sorted(users.items()):
        records = history[: bisect_right(history, as_of, key=itemgetter(TIMESTAMP))]
        joined_at = next((record[TIMESTAMP] for record in records if puts_into(record, group_id)), None)
        if joined_at is None:
            continue
        user = AccountUser(rules, profile_id, records, joined_at)
        told.members.append(user)
        own = records[bisect_left(records, joined_at, key=itemgetter(TIMESTAMP)) :]
        told.event_count += len(own)
        told.last_seen_at = max(told.last_seen_at, own[-1][TIMESTAMP])
        for record in own:
            taken = as_account_takes(record, group_id)
            told.events += () if taken is None else (taken,)
            told.events += mentions_of(record, rules)
        told.events += user.answers(as_of)
    told.events.sort(key=BY_TIME)
    return told if told.members else None


def build_account(
    group_id: str, users: Mapping[str, Sequence[Record]], rules: AccountRules, as_of: int
) -> AccountHistory | None:
    """Everything that follows from the events of an account's users; None if it does not exist yet at `as_of`."""
    told = tell_account(group_id, users, rules, as_of)
    if told is None:
        return None
    state = State(f"account:{group_id}")
    run(rules.account, state, told.events, as_of)
    computed = computed_traits(rules.account, state, as_of)
    traits = json_object(state.traits)
    intervals = list(intervals_of(state.changes))
    if any(interval.exited_at is None for interval in intervals):
        coming = crossings(rules.account, state, told.turns_ahead())
        intervals = with_expiry(rules.account, state, intervals, coming)
    segments = sorted(interval.segment for interval in intervals if interval.exited_at is None)
    seen = (len(told.members), told.first_seen_at, told.last_seen_at, told.event_count)
    row = (state.profile_id, traits, json_object(computed), segments, *seen, 1, as_of)
    return _history(row, intervals, rules, as_of)


def _history(row: Row, intervals: Sequence[MembershipInterval], rules: AccountRules, as_of: int) -> AccountHistory:
    found = AccountHistory(row, [], [])
    for interval in intervals:
        version = rules.account.versions[interval.segment]
        found.memberships.append(membership_row(row[0], interval, version, as_of))
        found.changes.extend(change_rows(row[0], interval, version, as_of))
    return found
