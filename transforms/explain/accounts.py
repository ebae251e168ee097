"""A rule of accounts over all of them, as survey.py and story.py do it for people. Pure.

    users = merged_users(users_of_accounts(parts) for each bucket of profiles)
    found = survey_accounts(users, question)
    preview = make_preview(question, found, folder, AccountExplainers(users, as_of))

An account is a history like a person's once it is told of its users (transforms/accounts). All of it is in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import orjson

from schemas.event import MESSAGE_ID, TIMESTAMP
from transforms.accounts.ahead import Turn, crossings, with_expiry
from transforms.accounts.columns import users_in_accounts
from transforms.accounts.history import AccountHistory, ToldAccount, build_account, tell_account
from transforms.accounts.rules import AccountRules, compile_accounts
from transforms.accounts.told import groups_of
from transforms.explain.mentioned import mentioned
from transforms.explain.occurrences import Occurrences
from transforms.explain.question import Question, Rule
from transforms.explain.reasons import Reason
from transforms.explain.story import Explainer, Standing, Story, turns_of
from transforms.explain.survey import Survey
from transforms.profiles.columns import OrderedEvents
from transforms.profiles.history import BY_TIME
from transforms.profiles.rows import membership_row
from transforms.records import Record
from transforms.segments.history import histories_of, rows_by_pair
from transforms.segments.nodes.state import State
from transforms.segments.replay import MembershipInterval, intervals_of, run

Users = dict[str, dict[str, Sequence[Record]]]
"""By group id, the histories of the users that were ever put into the account, by profile id."""


def users_of_accounts(parts: Iterable[OrderedEvents]) -> Users:
    """Those among some profiles."""
    found: Users = {}
    for part in parts:
        for profile_id, events in users_in_accounts(part):
            for group_id in groups_of(events):
                found.setdefault(group_id, {})[profile_id] = events
    return found


def merged_users(parts: Iterable[Users]) -> Users:
    """The users of all profiles from those of some."""
    found: Users = {}
    for part in parts:
        for group_id, users in part.items():
            found.setdefault(group_id, {}).update(users)
    return found


def survey_accounts(users: Users, question: Question) -> Survey:
    """Evaluates the rule, and the version it is held against, for every account."""
    found = Survey(question.sample_size)
    rule, as_of = question.rule, question.as_of
    rules = compile_accounts(rule.definitions)
    against = None if question.against is None else compile_accounts(question.against.needed)
    occurrences = Occurrences(mentioned(rule.needed))
    for group_id, of_account in sorted(users.items()):
        account = tell_account(group_id, of_account, rules, as_of)
        if account is None:
            continue
        found.profiles += 1
        told = histories_of(of_account, as_of)
        occurrences.look_for(told, rows_by_pair(told))
        occurrences.look_for_traits(map(orjson.loads, told.traits.drop_null().to_pylist()))
        member = _survey_account(f"account:{group_id}", account, rules, question, found)
        if against is not None and question.against is not None:
            built = build_account(group_id, of_account, against, as_of)
            was_member = built is not None and _take_against(built, question.against.segment.name, found)
            if member != was_member:
                (found.added if member else found.removed).add(f"account:{group_id}", tuple)
    found.event_names, found.occurring = occurrences.event_names, occurrences.seen
    found.sort()
    return found


def _survey_account(
    account_id: str, account: ToldAccount, rules: AccountRules, question: Question, found: Survey
) -> bool:
    segment, program = question.rule.segment, rules.account
    state = State(account_id)
    run(program, state, account.events, question.as_of)
    intervals = list(intervals_of(state.changes))
    current = {interval.segment for interval in intervals if interval.exited_at is None}
    found.timers = max(found.timers, sum(node in program.reads[segment.name] for node in state.due))
    member = segment.name in current
    for other in current - {segment.name}:
        found.others[other] += 1
        found.shared[other] += member
    if member:
        found.members.add(account_id, tuple)
    own = [interval for interval in intervals if interval.segment == segment.name]
    own = with_expiry(program, state, own, crossings(program, state, account.turns_ahead()))
    version = program.versions[segment.name]
    found.rows += [membership_row(account_id, interval, version, question.as_of) for interval in own]
    return member


def _take_against(built: AccountHistory, name: str, found: Survey) -> bool:
    rows = [row for row in built.memberships if row[1] == name]
    found.against_rows += rows
    return any(row[3] is None for row in rows)


class AccountExplainer(Explainer):
    """Explains how accounts stand to one segment; an account's events are looked up by its id."""

    def __init__(self, rule: Rule, users: Users, as_of: int) -> None:
        super().__init__(rule)
        self._rules = compile_accounts(rule.needed)
        self._users = users
        self._as_of = as_of

    def standing(self, profile_id: str, events: Sequence[Record], as_of: int, turns: Sequence[Turn] = ()) -> Standing:
        told = self.told(profile_id)
        return super().standing(profile_id, told.events, as_of, list(told.turns_ahead()))

    def told(self, account_id: str) -> ToldAccount:
        """What the account is told of its users. There is such an account."""
        group_id = account_id.removeprefix("account:")
        told = tell_account(group_id, self._users[group_id], self._rules, self._as_of)
        return told or ToldAccount([], [], 0, 0)

    def reason(self, profile_id: str, events: Sequence[Record], as_of: int, stay: MembershipInterval) -> Reason | None:
        """What put the account in: of its users' events those that contributed then."""
        named = events_by_id(self._users[profile_id.removeprefix("account:")])
        return Reason([named[message_id] for message_id in stay.message_ids if message_id in named], [])


class AccountExplainers:
    """Makes an explainer for a rule."""

    def __init__(self, users: Users, as_of: int) -> None:
        self._users = users
        self._as_of = as_of

    def __call__(self, rule: Rule) -> AccountExplainer:
        return AccountExplainer(rule, self._users, self._as_of)


def events_by_id(users: Mapping[str, Sequence[Record]]) -> dict[str, Record]:
    """Every event of the users of an account."""
    return {event[MESSAGE_ID]: event for events in users.values() for event in events}


def tell_of_account(rule: Rule, group_id: str, users: Users, as_of: int) -> Story | None:
    """The story of an account up to `as_of`: what its users did since each was put into it; None if there is none."""
    rules = compile_accounts(rule.definitions)
    account = None if group_id not in users else tell_account(group_id, users[group_id], rules, as_of)
    if account is None:
        return None
    explainer = AccountExplainer(rule, users, as_of)
    account_id = f"account:{group_id}"
    state = State(account_id)
    run(rules.account, state, account.events, as_of)
    intervals = list(intervals_of(state.changes))
    joined = {user.profile_id: user.joined_at for user in account.members}
    events = sorted(
        (
            event
            for profile_id, joined_at in joined.items()
            for event in users[group_id][profile_id]
            if joined_at <= event[TIMESTAMP] <= as_of
        ),
        key=BY_TIME,
    )
    named = events_by_id(users[group_id])
    told = explainer.told(account_id).events
    return Story(
        account_id,
        events,
        tuple(turns_of(rule.segment.name, explainer, account_id, told, intervals, named)),
        tuple(sorted(interval.segment for interval in intervals if interval.exited_at is None)),
        explainer.standing(account_id, told, as_of),
    )
