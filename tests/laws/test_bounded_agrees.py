"""The bounded job, on columns, gives the tables of F on generated worlds: a law with two witnesses."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from schemas.instants import parse_instant_us
from tests.laws.bounded import bounded
from tests.laws.memory import World, by_name, check, differing, seeded_world, united_worlds, whole
from transforms.parse.plain_events import PYTHON_ONLY

CASES = int(os.environ.get("TIDEMARK_CASES", "300"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "20000"))
PARTS = 4


def wrong(world: World) -> list[str]:
    return [str(found) for found in differing(by_name(whole(world)), by_name(bounded(world)))]


@pytest.mark.parametrize("part", range(PARTS))
def test_the_tables_are_those_of_the_law(part: int) -> None:
    check(part, PARTS, CASES, wrong)


def test_the_tables_are_those_of_the_law_where_nothing_was_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON_ONLY, "1")
    check(0, PARTS, CASES, wrong)


@pytest.mark.parametrize("seed", range(10))
def test_many_worlds_in_the_same_buckets(seed: int) -> None:
    assert not wrong(united_worlds(seed, 20))


def line(message_id: str, day: int, kind: str, **fields: str) -> bytes:
    timestamp = f"2026-03-0{day}T00:00:00Z"
    return json.dumps({"messageId": message_id, "type": kind, "timestamp": timestamp, **fields}).encode()


def test_a_device_that_is_called_like_a_merged_user_keeps_its_events() -> None:
    lines = (
        line("m1", 1, "screen", anonymousId="x"),
        line("m2", 5, "screen", userId="x"),
        line("m3", 6, "alias", previousId="x", userId="y"),
        line("m4", 7, "screen", userId="y"),
    )
    named = replace(seeded_world(1), lines=lines, as_of=parse_instant_us("2026-03-09T00:00:00Z"), stitch_window=0)
    assert [row[:2] for row in bounded(named)["events"]] == [
        ("m1", "anon:x"),
        ("m2", "user:y"),
        ("m3", "user:y"),
        ("m4", "user:y"),
    ]
    assert not wrong(named)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_the_tables_are_those_of_the_law_in_thousands_of_worlds(part: int) -> None:
    check(part, PARTS, LONG_CASES, wrong)
