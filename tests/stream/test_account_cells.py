"""What an account's cell says, told step by step; and the laws of what it is made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import NAME, Event
from schemas.update import RowUpdate
from tests.strategies.worlds import GRID_US, START_US
from transforms.accounts.ahead import crossings
from transforms.accounts.cell import AccountCell
from transforms.accounts.contribution import ACCOUNTS, EPOCH
from transforms.accounts.told import Answer, answer_event
from transforms.accounts.waiting import Waiting
from transforms.profiles.cell import ProfileCell
from transforms.profiles.evaluate import Rules
from transforms.profiles.history_cell import REFRESH
from transforms.segments.language.definitions import load_definitions
from transforms.segments.nodes.quantifier import QuantifierNode, Users
from transforms.segments.nodes.state import MEMBER, State
from transforms.state.facts import DELETED, EVENT, MERGE, RETRACTION, Message, event_fact

HOUR = GRID_US
ANY = "ANY event('Thing').within(4 hours).count() >= 1"
ALL = "ALL event('Thing').within(4 hours).count() >= 1"


def rules(folder: Path, **segments: str) -> Rules:
    place = folder / "segments"
    place.mkdir(exist_ok=True)
    for file in place.iterdir():
        file.unlink()
    for name, rule in segments.items():
        (place / f"{name}.yaml").write_text(json.dumps({"of": "accounts", "when": rule}))
    return Rules(load_definitions(place).definitions)


def event(message_id: str, hour: float, kind: str = "track", **traits: Any) -> Event:
    at, name = START_US + round(hour * HOUR), "Thing" if kind == "track" else ""
    group, told = ("g", json.dumps(traits).encode()) if kind == "group" else (None, None)
    return Event(message_id, at, kind, name, None, None, None, group, None, None, told, None)


class Company:
    """An account and its users; what the account says, in words."""

    def __init__(self, known: Rules) -> None:
        self.rules = known
        self.account = AccountCell("g")
        self.users = {name: ProfileCell(f"user:{name}") for name in ("a", "b", "c")}
        self.updates: list[RowUpdate] = []
        self.clock = 0

    def told(self, user: str, found: Event, sign: int = 1, why: str = EVENT) -> list[str]:
        return self._tell(user, [Message("profiles", f"user:{user}", event_fact(found), sign, 0, why)])

    def new_rules(self, known: Rules) -> list[list[str]]:
        """What the account says while one user after the other learns of them."""
        self.rules = known
        return [self._tell(user, [Message("profiles", f"user:{user}", REFRESH)]) for user in self.users]

    def fires(self) -> list[str]:
        self.clock += 1
        return self._words(self.account.fire(self.rules, self.account.due or 0, self.clock))

    def _tell(self, user: str, messages: Sequence[Message]) -> list[str]:
        self.clock += 1
        outputs = self.users[user].handle(self.rules, messages, self.clock)
        for_account = [message for message in outputs if isinstance(message, Message)]
        return self._words(self.account.handle(self.rules, for_account, self.clock)) if for_account else []

    def _words(self, outputs: Sequence[Message | RowUpdate]) -> list[str]:
        found = [update for update in outputs if isinstance(update, RowUpdate)]
        self.updates += found
        changes = [update.row for update in found if update.table == "membership_changes"]
        return [f"{row[4]} {row[2]} {(row[5] - START_US) / HOUR:+g}h {row[6]}" for row in changes]

    def row(self) -> RowUpdate:
        return [update for update in self.updates if update.table == "accounts"][-1]


def test_a_users_answer_that_expires_moves_the_account_without_the_user(tmp_path: Path) -> None:
    company = Company(rules(tmp_path, s=ANY))
    company.told("a", event("g1", 0, "group"))
    assert company.told("a", event("t1", 1)) == ["entered s +1h event"]
    assert company.account.due == START_US + 5 * HOUR
    assert company.fires() == ["exited s +5h time"]
    assert company.account.due is None


def test_what_changes_nothing_of_any_and_all_wakes_nobody(tmp_path: Path) -> None:
    company = Company(rules(tmp_path, s=ANY))
    company.told("a", event("g1", 0, "group"))
    company.told("b", event("g2", 0, "group"))
    company.told("c", event("g3", 0, "group"))
    company.told("a", event("t1", 1))
    company.told("b", event("t2", 3))
    assert company.account.due == START_US + 7 * HOUR, "when the first of them ceases the other still holds"


@pytest.mark.parametrize(
    ("why", "cause"), [(EVENT, "late_event"), (MERGE, "merge"), (DELETED, "deleted"), (RETRACTION, "retraction")]
)
def test_what_goes_is_taken_back_with_its_cause(tmp_path: Path, why: str, cause: str) -> None:
    company = Company(rules(tmp_path, s=ANY))
    company.told("a", event("g1", 0, "group"))
    company.told("a", event("t1", 1))
    assert company.told("a", event("t1", 1), -1, why) == [f"retracted s +1h {cause}"]


def test_a_late_event_takes_back_what_it_proves_wrong(tmp_path: Path) -> None:
    company = Company(rules(tmp_path, s=ALL))
    company.told("a", event("g1", 0, "group"))
    assert company.told("a", event("t1", 1)) == ["entered s +1h event"]
    assert company.told("a", event("t3", 6)) == ["exited s +5h time", "entered s +6h event"]
    said = company.told("b", event("g2", 4, "group"))
    taken_back = ["retracted s +1h late_event", "retracted s +6h late_event"]
    assert said == [*taken_back, "entered s +1h late_event", "exited s +4h late_event"]


def test_an_account_that_nobody_is_in_any_more_is_gone(tmp_path: Path) -> None:
    company = Company(rules(tmp_path, s=ANY))
    company.told("a", event("g1", 0, "group", plan="trial"))
    company.told("a", event("t1", 1))
    assert company.row().row[4:] == (1, START_US, START_US + HOUR, 2, 2, 2)
    assert company.told("a", event("g1", 0, "group", plan="trial"), -1, RETRACTION) == ["retracted s +1h retraction"]
    assert company.row().withdrawn


def test_the_account_waits_until_all_of_its_users_are_told_by_the_new_rules(tmp_path: Path) -> None:
    company = Company(rules(tmp_path, s=ANY))
    for user in company.users:
        company.told(user, event(f"g-{user}", 0, "group"))
        company.told(user, event(f"t-{user}", 1))
    said = company.new_rules(rules(tmp_path, t="ANY event('Thing').count() >= 1"))
    assert said == [[], [], ["retracted s +1h segment_changed", "entered t +1h segment_changed"]]
    assert [fact[2] for fact in company.account.facts.of(EPOCH)] == [1, 1, 1]


def test_messages_of_an_earlier_epoch_that_come_late_are_dropped(tmp_path: Path) -> None:
    company = Company(rules(tmp_path, s=ANY))
    company.told("a", event("g1", 0, "group"))
    facts = company.account.facts.counted()
    company.new_rules(rules(tmp_path, s=ALL))
    before = company.account.facts.counted()
    late = [Message(ACCOUNTS, "g", fact, 1) for fact, _, _ in facts]
    assert company.account.handle(company.rules, late, 9) == []
    assert company.account.facts.counted() == before


FLIPS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 5)), max_size=30)


@given(flips=FLIPS, holding=st.sets(st.integers(0, 5)), absent=st.booleans())
def test_crossings_are_found_by_jumps_as_by_steps(
    flips: list[tuple[int, int]], holding: set[int], absent: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each user's answers alternate; users of 0 to 5, none of whom is another's."""
    known = _BOTH.setdefault("rules", rules(tmp_path_factory.mktemp("laws"), s=f"{ANY} OR {ALL}"))
    program = known.accounts.account
    (rule,) = known.accounts.mentions
    state, waiting, now = State("account:g"), Waiting(), {}
    for number in range(5 if absent else 6):
        now[number] = number in holding
        for node, _ in program.route(MEMBER, rule):
            state.cells.setdefault(node.id, Users()).tell(f"user:{number}", (now[number], ()))
    turns = []
    for at, number in sorted(set(flips)):
        if number in now:
            now[number] = not now[number]
            record = answer_event(rule, at, f"user:{number}", Answer(now[number], ()))
            assert record[NAME] == rule
            waiting.add([record])
            turns.append((at, rule, 1 if now[number] else -1))
    assert waiting.crossings(program, state) == list(crossings(program, state, turns))


_BOTH: dict[str, Rules] = {}
TOLD = st.lists(st.tuples(st.integers(0, 99), st.booleans()), max_size=200)


@given(first=TOLD, then=TOLD, other=TOLD)
def test_a_fork_of_users_goes_its_own_way(
    first: list[tuple[int, bool]], then: list[tuple[int, bool]], other: list[tuple[int, bool]]
) -> None:
    users = Users()
    known: dict[str, Any] = {}
    for number, holds in first:
        users.tell(str(number), (holds, ()))
        known[str(number)] = (holds, ())
    fork = users.fork()
    for told, answers, copy in ((users, then, dict(known)), (fork, other, dict(known))):
        for number, holds in answers:
            told.tell(str(number), (holds, ()))
            copy[str(number)] = (holds, ())
        assert told.told() == copy
        assert (len(told), told.holding) == (len(copy), sum(holds for holds, _ in copy.values()))
    node = QuantifierNode(every=True)
    assert node.unpack(node.pack(users)).told() == users.told()
