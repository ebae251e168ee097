"""Accounts told as stories, through the whole of F: merges, erasure, two accounts, time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson

from schemas.instants import parse_instant_us
from tests.laws.memory import SOURCE, parser
from transforms.segments.language.definitions import load_definitions
from transforms.whole import Tables, parse_lines, tables_of

START = parse_instant_us("2026-03-01T00:00:00Z")
HOUR = 3_600_000_000
ANY = "ANY event('Thing').within(2 hours).count() >= 1"
ALL = "ALL event('Thing').count() >= 1"


def message(message_id: str, hour: int, kind: str, **fields: Any) -> bytes:
    return json.dumps(
        {"messageId": message_id, "type": kind, "timestamp": f"2026-03-01T{hour:02}:00:00Z", **fields}
    ).encode()


def join(message_id: str, hour: int, user: str, group: str, **traits: Any) -> bytes:
    return message(message_id, hour, "group", userId=user, groupId=group, traits=traits)


def thing(message_id: str, hour: int, user: str) -> bytes:
    return message(message_id, hour, "track", event="Thing", userId=user)


def told(folder: Path, lines: list[bytes], hour: int = 20, **rules: str) -> Tables:
    (folder / "s").mkdir()
    for name, when in rules.items():
        (folder / "s" / f"{name}.yaml").write_text(json.dumps({"of": "accounts", "when": when}))
    definitions = load_definitions(folder / "s").definitions
    return tables_of(parse_lines(lines, parser(), SOURCE).records, definitions, START + hour * HOUR)


def stays(tables: Tables) -> list[tuple[str, str, int, int | None]]:
    """(account, segment, hour of entry, hour of exit)."""
    return [
        (row[0], row[1], (row[2] - START) // HOUR, row[3] and (row[3] - START) // HOUR)
        for row in tables["memberships"]
        if row[0].startswith("account:")
    ]


def users(tables: Tables) -> dict[str, int]:
    return {row[0]: row[4] for row in tables["accounts"]}


def test_time_moves_an_account_at_the_instant_at_which_it_moves_the_user(tmp_path: Path) -> None:
    tables = told(tmp_path, [join("g1", 1, "a", "g"), thing("v1", 3, "a")], any=ANY, none=f"NOT {ANY}")
    assert stays(tables) == [
        ("account:g", "any", 3, 5),
        ("account:g", "none", 1, 3),
        ("account:g", "none", 5, None),
    ]
    causes = {(row[2], row[4], row[6]) for row in tables["membership_changes"]}
    assert {("any", "entered", "event"), ("any", "exited", "time")} <= causes


def test_when_it_will_end_is_told_ahead(tmp_path: Path) -> None:
    tables = told(tmp_path, [join("g1", 1, "a", "g"), thing("v1", 3, "a")], hour=4, any=ANY)
    (row,) = tables["memberships"]
    assert (row[3], row[4]) == (None, START + 5 * HOUR)


def test_what_a_user_did_before_counts_for_any_and_not_for_the_accounts_events(tmp_path: Path) -> None:
    lines = [thing("v1", 1, "a"), join("g1", 2, "a", "g")]
    assert stays(told(tmp_path, lines, any=ANY, own="event('Thing').count() >= 1")) == [("account:g", "any", 2, 3)]


def test_all_ends_when_somebody_is_put_in_for_whom_it_does_not_hold(tmp_path: Path) -> None:
    lines = [thing("v1", 1, "a"), join("g1", 2, "a", "g"), join("g2", 4, "b", "g"), thing("v2", 6, "b")]
    tables = told(tmp_path, lines, all=ALL)
    assert stays(tables) == [("account:g", "all", 2, 4), ("account:g", "all", 6, None)]
    assert users(tables) == {"account:g": 2}
    first = tables["memberships"][0]
    assert (first[6], first[7]) == (["v1"], ["g2"])


def test_a_user_can_be_in_two_accounts(tmp_path: Path) -> None:
    lines = [join("g1", 1, "a", "g"), join("g2", 2, "a", "h"), thing("v1", 3, "a")]
    assert stays(told(tmp_path, lines, any=ANY)) == [("account:g", "any", 3, 5), ("account:h", "any", 3, 5)]


def test_traits_are_those_of_group_events_and_the_last_write_decides(tmp_path: Path) -> None:
    lines = [
        join("g1", 1, "a", "g", plan="trial", seats=3),
        join("g2", 2, "b", "g", plan="pro"),
        join("g3", 3, "a", "g", plan=None),
        message("i1", 4, "identify", userId="a", traits={"plan": "mine"}),
    ]
    tables = told(tmp_path, lines, pro="trait('plan') = 'pro'")
    assert stays(tables) == [("account:g", "pro", 2, 3)]
    assert [orjson.loads(row[1]) for row in tables["accounts"]] == [{"seats": 3}]


def test_an_alias_makes_two_users_of_an_account_one(tmp_path: Path) -> None:
    lines = [
        thing("v1", 1, "a"),
        join("g1", 2, "a", "g"),
        join("g2", 2, "b", "g"),
        message("m1", 9, "alias", previousId="b", userId="a"),
    ]
    tables = told(tmp_path, lines, all=ALL)
    assert users(tables) == {"account:g": 1}
    assert stays(tables) == [("account:g", "all", 2, None)]


def test_an_erased_user_leaves_and_an_account_without_users_is_gone(tmp_path: Path) -> None:
    lines = [
        join("g1", 1, "a", "g"),
        join("g2", 2, "b", "g"),
        join("g3", 2, "b", "h"),
        thing("v1", 3, "b"),
        message("d1", 9, "delete", userId="b"),
    ]
    tables = told(tmp_path, lines, any=ANY)
    assert users(tables) == {"account:g": 1}
    assert stays(tables) == []


def test_a_device_is_put_in_with_the_user_that_it_belongs_to(tmp_path: Path) -> None:
    lines = [
        message("g1", 1, "group", anonymousId="d", groupId="g"),
        message("i1", 2, "identify", anonymousId="d", userId="a"),
        thing("v1", 3, "a"),
    ]
    tables = told(tmp_path, lines, any=ANY)
    assert users(tables) == {"account:g": 1}
    assert stays(tables) == [("account:g", "any", 3, 5)]
