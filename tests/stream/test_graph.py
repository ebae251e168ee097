"""The Beam graph ends where the bounded job does, and keeps its labels and state ids."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.test_stream import TestStream

from tests.laws.memory import World, seeded_world, united_worlds
from tests.stream.graphs import FlakyRules, Losses, restless, run_graph, settings_of, shuffled_stream
from tests.stream.simulation import Written, differences, expected
from transforms.profiles.evaluate import Rules
from transforms.state.archive import Archive
from transforms.stream import settling_stages
from transforms.stream.maintain import MaintainTables

WORLDS = 24
CASES = 2
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "40"))


def check(seed: int, folder: Path) -> None:
    """Many worlds in one pipeline: starting it costs more than they do."""
    world = united_worlds(seed, WORLDS)
    written = Written()
    for update in run_graph(world, shuffled_stream(world, seed, steps=8), BundleBasedDirectRunner(), folder):
        written.write(update)
    assert not differences(expected(world), written.tables())


@pytest.mark.parametrize("seed", range(CASES))
def test_many_worlds_end_in_the_tables_of_the_bounded_job(seed: int, tmp_path: Path) -> None:
    check(seed, tmp_path)


def test_what_is_due_at_one_instant_may_be_told_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling_stages, "MOST_WOKEN", 1)
    check(CASES, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(CASES, LONG_CASES))
def test_more_worlds_end_in_the_tables_of_the_bounded_job(seed: int, tmp_path: Path) -> None:
    check(seed, tmp_path)


def test_bundles_that_fail_halfway_and_are_played_again_change_nothing(tmp_path: Path) -> None:
    world, losses = lively_worlds(91, WORLDS), Losses("halfway")
    settings = replace(settings_of(world), rules=flaky(world, losses))
    written = Written()
    stream = shuffled_stream(world, 1, steps=8)
    for update in run_graph(world, stream, BundleBasedDirectRunner(), tmp_path, settings=settings):
        written.write(update)
    assert losses.failures > 1
    assert not differences(expected(world), written.tables())


@pytest.mark.parametrize("seed", [73, 74])
def test_cells_that_leave_events_behind_end_there_too(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: Counter[str] = Counter()
    for name in ("add", "take"):
        monkeypatch.setattr(Archive, name, counted(getattr(Archive, name), used))
    world, losses = lively_worlds(seed, WORLDS // 3), Losses(f"behind {seed}")
    settings = restless(replace(settings_of(world), rules=flaky(world, losses)))
    written = Written()
    stream = shuffled_stream(world, 1, steps=10)
    for update in run_graph(world, stream, BundleBasedDirectRunner(), tmp_path, settings=settings):
        written.write(update)
    assert losses.failures
    assert used["add"] > 9
    assert used["take"] > 3
    assert not differences(expected(world), written.tables())


def lively_worlds(seed: int, size: int) -> World:
    """The first worlds from `seed` on that have memberships: only of these a look-up can fail."""
    worlds = (united_worlds(found, size) for found in count(seed))
    return next(world for world in worlds if len(expected(world)["memberships"]) >= size)


def flaky(world: World, losses: Losses) -> FlakyRules:
    return FlakyRules(Rules(world.definitions), losses)


def counted(method: Callable[..., Any], used: Counter[str]) -> Callable[..., Any]:
    """The method, and how often it is called."""

    def call(*arguments: Any) -> Any:
        used[method.__name__] += 1
        return method(*arguments)

    return call


CONTRACT = """\
Deduplicate/ParDo(_Deduplicate): states archive head log, timers ts-forget
TellRetractions/ParDo(_MaintainFacts): states head log, timers
KnowNames/ParDo(_MaintainFacts): states head log, timers
ResolveAliases/ParDo(_MaintainFacts): states head log, timers
IndexLinks/ParDo(_MaintainFacts): states head log, timers
ResolveDevices/ParDo(MaintainOwners): states archive head log, timers ts-settle
ResolveUsers/ParDo(MaintainOwners): states archive head log, timers ts-settle
CountErased/ParDo(_MaintainFacts): states head log, timers
KeepFailures/ParDo(MaintainOwners): states archive head log, timers ts-settle
FindChanges: states last, timers
MaintainProfiles/ParDo(MaintainHistories): states archive head log, timers ts-due
MaintainAccounts/ParDo(MaintainHistories): states archive head log, timers ts-due"""


def test_labels_states_and_timers_are_those_of_running_jobs() -> None:
    pipeline = beam.Pipeline(runner=BundleBasedDirectRunner())
    stream = pipeline | "Stream" >> TestStream()
    ticks = pipeline | "Ticks" >> TestStream()
    _ = stream | "MaintainTables" >> MaintainTables(settings_of(seeded_world(1)), ticks)
    found: list[str] = []

    class Visitor(beam.pipeline.PipelineVisitor):
        def visit_transform(self, node: beam.pipeline.AppliedPTransform) -> None:
            transform = node.transform
            signature = getattr(transform, "_signature", None)
            if signature is not None and signature.is_stateful_dofn():
                states, timers = beam.transforms.userstate.get_dofn_specs(transform.fn)
                names = " ".join(sorted(state.name for state in states))
                label = node.full_label.removeprefix("MaintainTables/")
                found.append(f"{label}: states {names}, timers {' '.join(sorted(t.name for t in timers))}".rstrip())

    pipeline.visit(Visitor())
    assert "\n".join(found) == CONTRACT
