"""One account's history, from its users' events to its rows. Pure.

The account is evaluated like a profile, by the same step function: its group events write its traits, as `identify`
does a person's; of its users it takes the events from the instant on at which each was put into it; and what ANY and
ALL ask is told by each user as it changes (users.py).
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import NamedTuple

from schemas.event import GROUP_ID, TIMESTAMP, TRAITS, TYPE
from transforms.accounts.rules import AccountRules
from transforms.accounts.users import AccountUser
from transforms.profiles.history import BY_TIME
from transforms.profiles.rows import Row, change_rows, json_object, membership_row
from transforms.records import Record
from transforms.segments.engine import step
from transforms.segments.nodes.state import EventTuple, State
from transforms.segments.replay import MAX_STEPS_AHEAD, MembershipInterval, computed_traits, intervals_of, run

_TAKEN = frozenset({"track", "page", "screen"})


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


def groups_of(records: Iterable[Record]) -> set[str]:
    """The accounts that a profile was ever put into."""
    return {record[GROUP_ID] for record in records if record[TYPE] == "group" and record[GROUP_ID]}


def build_account(
    group_id: str, users: Mapping[str, Sequence[Record]], rules: AccountRules, as_of: int
) -> AccountHistory | None:
    """Everything that follows from the events of an account's users; None if it does not exist yet at `as_of`."""
    members: list[AccountUser] = []
    events: list[EventTuple] = []
    count, last_seen_at = 0, 0
    for profile_id, history in sorted(users.items()):
        records = history[: bisect_right(history, as_of, key=itemgetter(TIMESTAMP))]
        joined_at = next((record[TIMESTAMP] for record in records if _puts_into(record, group_id)), None)
        if joined_at is None:
            continue
        user = AccountUser(rules, profile_id, records, joined_at)
        members.append(user)
        own = records[bisect_left(records, joined_at, key=itemgetter(TIMESTAMP)) :]
        count, last_seen_at = count + len(own), max(last_seen_at, own[-1][TIMESTAMP])
        events += _of_account(own, group_id)
        events += user.told_until(records, as_of)
    if not members:
        return None
    events.sort(key=BY_TIME)
    state = State(f"account:{group_id}")
    run(rules.account, state, events, as_of)
    computed = computed_traits(rules.account, state, as_of)
    traits = json_object(state.traits)
    intervals = _with_expiry(rules, state, list(intervals_of(state.changes)), members)
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


def _puts_into(record: Record, group_id: str) -> bool:
    return bool(record[TYPE] == "group" and record[GROUP_ID] == group_id)


def _of_account(records: Sequence[Record], group_id: str) -> Iterator[EventTuple]:
    """A user's events as the account takes them."""
    for record in records:
        if _puts_into(record, group_id):
            written = list(record)
            written[TYPE], written[TRAITS] = "identify", record[TRAITS] or b"{}"
            yield tuple(written)
        elif record[TYPE] in _TAKEN:
            yield record


def _with_expiry(
    rules: AccountRules, state: State, intervals: list[MembershipInterval], members: Sequence[AccountUser]
) -> list[MembershipInterval]:
    """As `replay.with_expiry`; an account's membership can also end by what time does to a user."""
    waiting = {interval.segment: place for place, interval in enumerate(intervals) if interval.exited_at is None}
    relevant = {node for segment in waiting for node in rules.account.reads[segment]}
    due_users = [(due, place) for place, user in enumerate(members) if (due := user.state.next_due()) is not None]
    if not waiting or not rules.asked:
        due_users = []
    heapq.heapify(due_users)
    seen = len(state.changes)
    for _ in range(MAX_STEPS_AHEAD):
        while (due := state.next_due()) is not None and state.heap[0][1] not in relevant:
            state.wake(state.heap[0][1], None)
        now = min((at for at in (due, due_users[0][0] if due_users else None) if at is not None), default=None)
        if not waiting or now is None:
            break
        told: list[EventTuple] = []
        while due_users and due_users[0][0] == now:
            _, place = heapq.heappop(due_users)
            told += members[place].told_at(now)
            later = members[place].state.next_due()
            if later is not None:
                heapq.heappush(due_users, (later, place))
        step(rules.account, state, now, told)
        for change in state.changes[seen:]:
            if not change.entered and change.segment in waiting:
                place = waiting.pop(change.segment)
                intervals[place] = replace(intervals[place], expires_at=change.at)
        seen = len(state.changes)
    return intervals
