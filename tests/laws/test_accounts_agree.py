"""Accounts: the engine gives what the brute-force reference does, on generated people, and told as stories."""

from __future__ import annotations

import os
from typing import Any

import orjson
import pytest

from tests.reference.accounts import accounts as expected_accounts
from tests.strategies import rule_text
from tests.strategies.accounts import AccountCase, account_case
from tests.strategies.choices import seeded
from transforms.accounts.history import AccountHistory, accounts
from transforms.accounts.rules import compile_accounts

CASES = int(os.environ.get("TIDEMARK_CASES", "240"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "20000"))
PARTS = 4


def told(history: AccountHistory) -> dict[str, Any]:
    """An account by the engine."""
    account_id, traits, computed, _, users, first, last, count, *_ = history.account
    found = {
        "account": (account_id, orjson.loads(traits), users, first, last, count),
        "computed": {name: value for name, value in orjson.loads(computed).items() if value is not None},
        "memberships": [(*row[1:5], list(row[6]), list(row[7])) for row in sorted(history.memberships)],
        "causes": sorted((row[2], row[5], row[4], row[6]) for row in history.changes),
    }
    return orjson.loads(orjson.dumps(found))  # type: ignore[no-any-return]


def expected(case: AccountCase) -> list[dict[str, Any]]:
    """Accounts by the reference."""
    profiles = {
        key: [event for event in events if event.timestamp <= case.as_of] for key, events in case.profiles.items()
    }
    found = []
    for one in expected_accounts(profiles, case.definitions, case.as_of):
        seen = (one.user_count, one.first_seen_at, one.last_seen_at, one.event_count)
        causes = [(row.segment, row.entered_at, "entered", row.enter_cause) for row in one.memberships]
        causes += [(r.segment, r.exited_at, "exited", r.exit_cause) for r in one.memberships if r.exited_at is not None]
        found.append(
            {
                "account": (f"account:{one.group_id}", one.traits, *seen),
                "computed": {name: value for name, value in one.computed.items() if value is not None},
                "memberships": [
                    (r.segment, r.entered_at, r.exited_at, r.expires_at, r.message_ids, r.exit_message_ids)
                    for r in one.memberships
                ],
                "causes": sorted(causes),
            }
        )
    return orjson.loads(orjson.dumps(found))  # type: ignore[no-any-return]


def actual(case: AccountCase) -> list[dict[str, Any]]:
    """Accounts by the engine."""
    found = accounts(case.profiles, compile_accounts(case.definitions), case.as_of)
    return [told(history) for _, history in found]


def describe(seed: int) -> str:
    case = account_case(seeded(seed))
    lines = [f"seed {seed}", rule_text.definitions(case.definitions), f"as_of {case.as_of}"]
    for profile_id, events in case.profiles.items():
        lines += [profile_id, *(str(event) for event in events)]
    pairs = zip(expected(case), actual(case), strict=False)
    lines += [
        f"{name}\n  reference {one[name]}\n  engine    {two[name]}"
        for one, two in pairs
        for name in one
        if one[name] != two[name]
    ]
    return "\n".join(lines)


def failing(seeds: range) -> list[int]:
    cases = ((seed, account_case(seeded(seed))) for seed in seeds)
    return [seed for seed, case in cases if expected(case) != actual(case)]


@pytest.mark.parametrize("part", range(PARTS))
def test_accounts_are_those_of_the_reference(part: int) -> None:
    wrong = failing(range(part * CASES // PARTS, (part + 1) * CASES // PARTS))
    assert not wrong, f"{len(wrong)} differ\n{describe(wrong[0])}"


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_accounts_are_those_of_the_reference_in_thousands_of_cases(part: int) -> None:
    wrong = failing(range(part * LONG_CASES // PARTS, (part + 1) * LONG_CASES // PARTS))
    assert not wrong, f"{len(wrong)} differ\n{describe(wrong[0])}"


def test_generated_accounts_enter_and_leave() -> None:
    """Or the law above would say little."""
    found = [one for seed in range(150) for one in actual(account_case(seeded(seed)))]
    causes = {tuple(cause[2:]) for one in found for cause in one["causes"]}
    assert causes >= {("entered", "event"), ("entered", "time"), ("exited", "event"), ("exited", "time")}
    assert sum(len(one["memberships"]) for one in found) > 60
