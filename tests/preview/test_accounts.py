"""A rule of accounts in the preview: as the main job tells it, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from pipelines import preview
from tests.laws.test_account_stories import join, message, thing
from tests.laws.test_accounts_agree import actual
from tests.preview.shop import preview_json, run_main_job, written
from tests.strategies.accounts import account_case
from tests.strategies.choices import seeded
from transforms.columns.events import owned_events
from transforms.columns.selection import Selection
from transforms.explain.accounts import survey_accounts, tell_of_account, users_of_accounts
from transforms.explain.question import Question, Rule
from transforms.profiles.columns import OrderedEvents, ordered
from transforms.records import Record

ACTIVE = "ANY(event('Thing').within(2 hours).count() >= 1) AND trait('plan') = 'trial'"
LINES = [
    join("g1", 1, "a", "g", plan="trial"),
    thing("v1", 3, "a"),
    join("g2", 4, "b", "g"),
    join("g3", 4, "c", "h", plan="pro"),
    thing("v2", 4, "c"),
    message("i1", 5, "identify", userId="c", traits={"plan": "trial"}),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "segments").mkdir()
    (tmp_path / "events.ndjson").write_bytes(b"\n".join(LINES))
    for name, rule in {"active": ACTIVE, "all_did": "ALL event('Thing').count() >= 1"}.items():
        (tmp_path / "segments" / f"{name}.yaml").write_text(json.dumps({"of": "accounts", "when": rule}))
    (tmp_path / "segments" / "people.yaml").write_text(json.dumps({"when": "event('Thing').count() >= 1"}))
    return tmp_path


def arguments(place: Path, segment: str, *more: str) -> list[str]:
    return ["--segment", str(place / "segments" / f"{segment}.yaml"), "--input", str(place / "events.ndjson"), *more]


def text(capsys: pytest.CaptureFixture[str], *given: str) -> str:
    assert preview.main(list(given)) == 0
    return " ".join(capsys.readouterr().out.split())


def test_who_is_in_it_why_and_until_when(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = text(capsys, *arguments(place, "active", "--as_of", "2026-03-01T04:30:00Z"))
    assert "active: 1 of 2 accounts are in it" in said
    assert "account:g in since 2026-03-01 03:00:00 UTC, leaves 2026-03-01 05:00:00 UTC if nothing else happens" in said
    assert "number of the 2 users for whom number of 'Thing' in the last 2 hours is at least 1: 1" in said
    assert "by Thing at 2026-03-01 03:00:00 UTC (v1)" in said
    assert "What activation would send -------------------------- nothing: destinations hold people" in said


def test_the_rows_are_those_of_the_main_job(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--input", str(place / "events.ndjson"), "--segments", str(place / "segments")]
    with run_main_job(given, place / "out.duckdb") as database:
        for segment in ("active", "all_did"):
            found = preview_json(capsys, *arguments(place, segment))
            assert (found["of"], found["accounts"]) == ("accounts", 2)
            assert [row["profile_id"] for row in found["memberships"]] == [row[0] for row in written(database, segment)]


def test_overlaps_are_with_other_segments_of_accounts(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = preview_json(capsys, *arguments(place, "active"))
    assert [other["segment"] for other in found["overlaps"]] == ["all_did"]


def test_an_account_has_a_story(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for who in ("account:g", "g"):
        said = text(capsys, *arguments(place, "active", "--profile", who))
        assert "account:g: 3 events as of" in said
        assert "-> 2026-03-01 03:00:00 UTC entered active by an event by group" in said
        assert "<- 2026-03-01 05:00:00 UTC exited active by the passing of time failed: number of the 2 users" in said


def test_a_story_of_somebody_else_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert preview.main(arguments(place, "active", "--profile", "user:a")) == 2
    assert "expected account:ID" in capsys.readouterr().err


def test_people_are_not_held_against_accounts(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    against = str(place / "segments" / "people.yaml")
    assert preview.main(arguments(place, "active", "--against", against)) == 2
    assert "this segment is of users, and active is of accounts" in capsys.readouterr().err


def test_versions_are_held_against_each_other(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = preview_json(capsys, *arguments(place, "all_did", "--against", str(place / "segments" / "active.yaml")))
    assert found["difference"]["added"] == ["account:h"]
    assert found["difference"]["removed"] == []


def test_accounts_of_generated_people_are_those_of_the_engine() -> None:
    told = 0
    for seed in range(150):
        case = account_case(seeded(seed))
        histories = {
            key: [event for event in events if event.timestamp <= case.as_of] for key, events in case.profiles.items()
        }
        users = users_of_accounts([as_columns(histories)])
        expected = {one["account"][0]: one["memberships"] for one in actual(case)}
        for segment in case.definitions.about("accounts").segments:
            rule = Rule(segment, case.definitions)
            found = survey_accounts(users, Question(rule, None, case.as_of))
            rows = {(row[0], *map(_plain, row[1:5])) for row in found.rows}
            assert rows == {
                (account, *row[:4]) for account, of in expected.items() for row in of if row[0] == segment.name
            }
            told += len(rows)
            for group_id in users:
                story = tell_of_account(rule, group_id, users, case.as_of)
                now = {row[0] for row in found.rows if row[3] is None}
                assert story is None or story.standing.member == (f"account:{group_id}" in now)
    assert told > 30


def as_columns(profiles: Mapping[str, Sequence[Record]]) -> OrderedEvents:
    pairs = [(profile_id, event) for profile_id, events in profiles.items() for event in events]
    return ordered(Selection(pa.Table.from_batches([owned_events(pairs)])), "user:")


def _plain(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))
