"""A preview of generated worlds (accounts, retracts, erasure, aliases) tells what F tells, table by table."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from pipelines.io.locations import parse_inputs
from pipelines.local import resolve
from pipelines.local.resolve import ResolvedEvents, resolve_events
from schemas.tables import ACCOUNTS, EVENTS, MEMBERSHIPS, PROFILES
from tests.laws.memory import World, check, parser, united_worlds, whole
from transforms.columns.events import records_of
from transforms.explain.accounts import merged_users, survey_accounts, users_of_accounts
from transforms.explain.question import Question, Rule
from transforms.explain.statistics import EXITED_AT, PROFILE_ID
from transforms.explain.survey import Survey, merged, survey
from transforms.profiles.columns import OrderedEvents
from transforms.records import Record
from transforms.segments.compiler import compile_program
from transforms.segments.language import ast
from transforms.segments.nodes.state import State
from transforms.segments.replay import run
from transforms.whole import Tables

CASES = int(os.environ.get("TIDEMARK_CASES", "80"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "2000"))
PARTS = 4
SEGMENT = MEMBERSHIPS.column_names().index("segment")
MERGED_INTO = PROFILES.column_names().index("merged_into")


@pytest.fixture(autouse=True)
def several_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "bucket_count", lambda _, least: 3 * least)


def wrong(world: World, folder: Path) -> list[str]:
    """What the preview tells otherwise than the tables."""
    file = folder / "world.ndjson"
    file.write_bytes(b"\n".join(world.lines) + b"\n")
    inputs = parse_inputs([str(file)])
    limits = {"stitch_window_us": world.stitch_window, "max_merges": world.max_merges}
    with resolve_events(inputs, parser(), world.as_of, lambda *_: None, processes=1, **limits) as events:
        return list(_differences(world.definitions, whole(world), events))


def _differences(definitions: ast.Definitions, tables: Tables, events: ResolvedEvents) -> Iterator[str]:
    histories = [pair for pairs in events.ask(everything) for pair in pairs]
    told = sorted((event[0], profile_id) for profile_id, records in histories for event in records)
    yield from _unequal("events", told, sorted(row[:2] for row in tables[EVENTS.name]))
    users = merged_users(events.ask(users_of_accounts))
    for segment in definitions.segments:
        question = Question(Rule(segment, definitions), None, events.as_of)
        if segment.of == "accounts":
            found = survey_accounts(users, question)
            profiles = len(tables[ACCOUNTS.name])
        else:
            found = merged(events.ask(survey, question), question.sample_size)
            profiles = sum(row[MERGED_INTO] is None for row in tables[PROFILES.name])
            yield from _unequal(f"timers of {segment.name}", found.timers, _timers(question, histories))
        rows = [row for row in tables[MEMBERSHIPS.name] if row[SEGMENT] == segment.name]
        yield from _unequal(f"rows of {segment.name}", found.rows, rows)
        yield from _unequal(f"profiles of {segment.name}", found.profiles, profiles)
        yield from _others(segment, definitions, tables, found)


def _others(
    segment: ast.SegmentDefinition, definitions: ast.Definitions, tables: Tables, found: Survey
) -> Iterator[str]:
    now: dict[str, set[str]] = {}
    for row in tables[MEMBERSHIPS.name]:
        if row[EXITED_AT] is None:
            now.setdefault(row[SEGMENT], set()).add(row[PROFILE_ID])
    own = now.get(segment.name, set())
    others = {other.name for other in definitions.about(segment.of).segments} - {segment.name}
    yield from _unequal("others", +found.others, +Counter({name: len(now.get(name, ())) for name in others}))
    yield from _unequal("shared", +found.shared, +Counter({name: len(now.get(name, set()) & own) for name in others}))
    yield from _unequal("sample", {example[1] for example in found.members.examples} - own, set())


def _timers(question: Question, histories: Iterable[tuple[str, list[Record]]]) -> int:
    """By a step through every profile, with all rules there are."""
    program, most = compile_program(question.rule.definitions), 0
    for profile_id, records in histories:
        state = State(profile_id)
        run(program, state, records, question.as_of)
        most = max(most, sum(node in program.reads[question.rule.segment.name] for node in state.due))
    return most


def _unequal(what: str, found: object, expected: object) -> Iterator[str]:
    if found != expected:
        yield f"{what}: {found}, expected {expected}"


def everything(parts: Iterable[OrderedEvents]) -> list[tuple[str, list[Record]]]:
    return [(name, records_of(part.of(place))) for part in parts for place, name in enumerate(part.profile_ids)]


@pytest.mark.parametrize("part", range(PARTS))
def test_the_preview_tells_what_the_tables_tell(part: int, tmp_path: Path) -> None:
    check(part, PARTS, CASES, lambda world: wrong(world, tmp_path))


@pytest.mark.parametrize("seed", range(3))
def test_many_worlds_in_the_same_buckets(seed: int, tmp_path: Path) -> None:
    assert not wrong(united_worlds(seed, 20), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_the_preview_tells_what_the_tables_tell_in_thousands_of_worlds(part: int, tmp_path: Path) -> None:
    check(part, PARTS, LONG_CASES, lambda world: wrong(world, tmp_path))
