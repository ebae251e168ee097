"""One account's history, from its users' events to its rows. Pure.

The account is evaluated like a profile, by the same step function: its group events write its traits, as `identify`
does a person's; of its users it takes the events from the instant on at which each was put into it; and what ANY and
ALL ask is told by each user as it changes (users.py).
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from schemas.event import TIMESTAMP
from transforms.accounts.ahead import crossings, with_expiry
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


def build_account(
    group_id: str, users: Mapping[str, Sequence[Record]], rules: AccountRules, as_of: int
) -> AccountHistory | None:
    """Everything that follows from the events of an account's users; None if it does not exist yet at `as_of`."""
    members: list[AccountUser] = []
    events: list[EventTuple] = []
    count, last_seen_at = 0, 0
    for profile_id, history in sorted(users.items()):
        records = history[: bisect_right(history, as_of, key=itemgetter(TIMESTAMP))]
        joined_at = next((record[TIMESTAMP] for record in records if puts_into(record, group_id)), None)
        if joined_at is None:
            continue
        user = AccountUser(rules, profile_id, records, joined_at)
        members.append(user)
        own = records[bisect_left(records, joined_at, key=itemgetter(TIMESTAMP)) :]
        count, last_seen_at = count + len(own), max(last_seen_at, own[-1][TIMESTAMP])
        for record in own:
            taken = as_account_takes(record, group_id)
            events += () if taken is None else (taken,)
            events += mentions_of(record, rules)
        events += user.answers(as_of)
    if not members:
        return None
    events.sort(key=BY_TIME)
    state = State(f"account:{group_id}")
    run(rules.account, state, events, as_of)
    computed = computed_traits(rules.account, state, as_of)
    traits = json_object(state.traits)
    intervals = list(intervals_of(state.changes))
    if any(interval.exited_at is None for interval in intervals):
        turns = heapq.merge(*(user.turns_ahead() for user in members if rules.asked))
        intervals = with_expiry(rules.account, state, intervals, crossings(rules.account, state, turns))
    segments = sorted(interval.segment for interval in intervals if interval.exited_at is None)
    first_seen_at = min(user.joined_at for user in members)
    seen = (len(members), first_seen_at, last_seen_at, count)
    row = (state.profile_id, traits, json_object(computed), segments, *seen, 1, as_of)
    return _history(row, intervals, rules, as_of)


def _history(row: Row, intervals: Sequence[MembershipInterval], rules: AccountRules, as_of: int) -> AccountHistory:
    found = AccountHistory(row, [], [])
    for interval in intervals:
        version = rules.account.versions[interval.segment]
        found.memberships.append(membership_row(row[0], interval, version, as_of))
        found.changes.extend(change_rows(row[0], interval, version, as_of))
    return found
