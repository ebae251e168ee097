"""The law of a boot: with any part of the events taken in at once and the rest live, the stream ends where it would."""

from __future__ import annotations

import os
from collections import defaultdict
from tempfile import TemporaryDirectory

import pytest

from schemas.event import TIMESTAMP, Failure
from tests.laws.memory import World, seeded_world
from tests.stream.simulation import ANY_TIME, BUCKETS, NO_HORIZON, Simulation, differences, expected
from tests.stream.test_stream_ends_where_batch_does import counters
from transforms.profiles import cell, history_engine
from transforms.profiles.evaluate import Rules
from transforms.records import Record
from transforms.state.boot_shelves import BootShelves, part_count
from transforms.state.horizon import Horizon
from transforms.stream.bulk import BulkStages, Part, Said, Spoken, say_read
from transforms.stream.settings import FixedRules, StreamSettings
from transforms.stream.stages import ORDER

CASES = int(os.environ.get("TIDEMARK_CASES", "320"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "12000"))
PARTS = 4
SHARES = (0.0, 0.3, 0.7, 1.0)
"""How much of the events is history."""
AGAIN = 0.2
"""How much of that comes live, too."""


class Booted(Simulation):
    """A simulation that takes a part of its records in at once, and some of those once more."""

    def run_from(self, share: float, folder: str, *, in_order: bool) -> None:
        arrivals: list[Record] = [*self.records, *self.failures]
        self.random.shuffle(arrivals)
        if in_order:
            arrivals.sort(key=lambda one: 0 if isinstance(one, Failure) else one[TIMESTAMP])
        history = arrivals[: round(share * len(arrivals))]
        self.take_in(history, folder)
        again = [one for one in history if self.random.random() < AGAIN]
        self.again = [one for one in again if not isinstance(one, Failure)]
        self.records = [one for one in arrivals[len(history) :] if not isinstance(one, Failure)] + self.again
        self.failures = [one for one in arrivals[len(history) :] if isinstance(one, Failure)]
        self.run()

    def take_in(self, history: list[Record], folder: str) -> None:
        settings = StreamSettings(
            FixedRules(self.rules),
            self.tick,
            allowed_lateness_us=1 << 50,
            stitch_window_us=self.world.stitch_window,
            max_merges=self.world.max_merges,
            buckets=BUCKETS,
        )
        # Of a job that starts again the watermark is known: what of its journal came later than that was late. In a
        # first run the live inputs say how far time has passed, before there is a watermark, and may be wrong.
        passed = None
        if self.records and self.random.random() < 0.7:
            passed = self.random.choice([one[TIMESTAMP] for one in self.records])
            if self.random.random() < 0.5:
                self.watermark = passed
        stages, parts = BulkStages(settings, passed), part_count(BUCKETS)
        shelves = self.first = BootShelves(folder, BUCKETS)
        said: dict[Part, list[Said]] = defaultdict(list)
        spoken = Spoken(parts, lambda part, more: said[part].extend(more))
        records = [one for one in history if not isinstance(one, Failure)]
        failures = [one for one in history if isinstance(one, Failure)]
        say_read(records, failures, settings.allowed_lateness_us, spoken)
        spoken.close()
        for stage in ORDER:
            for number in self.random.sample(range(parts), parts):
                told = said.pop(Part(stage, number), [])
                self.random.shuffle(told)
                if told:
                    spoken = Spoken(parts, lambda part, more: said[part].extend(more))
                    shelves.write(stage, number, stages.run(stage, told, spoken))
                    self.logs[stage, str(number % BUCKETS)]  # there is one, empty
                    spoken.close()
                    for update in spoken.rows:
                        self.written.write(update)
        assert not said, "a stage speaks to later ones only"
        self.counted.update(stages.counted)

    def tick(self) -> int:
        self.clock += 1
        return self.clock


def wrong(world: World, seed: int, share: float, horizon: Horizon = NO_HORIZON, *, in_order: bool = False) -> list[str]:
    """What differs from F, in the tables, in the sum of the log of changes or in the counters."""
    tables = expected(world)
    simulation = Booted(world, world.definitions, seed, horizon)
    with TemporaryDirectory() as folder:
        simulation.run_from(share, folder, in_order=in_order)
    found = differences(tables, simulation.written.tables())
    log, stays = simulation.current_log(), {key: row[3] for key, row in tables["memberships"].items()}
    if log != stays:
        found.append(f"the log comes to {log}, memberships are {stays}")
    counted = {name: count for name, count in simulation.counted.items() if count}
    due = counters(world, tables)
    if due.get("events_duplicate", 0) + len(simulation.again) != counted.pop("events_duplicate", 0):
        found.append("what came again is counted as a copy, and nothing else is")
    due.pop("events_duplicate", 0)
    if counted != due:
        found.append(f"counted {counted}, batch {due}")
    return found


def check(part: int, total: int, horizon: Horizon = NO_HORIZON) -> None:
    seeds = range(part * total // PARTS, (part + 1) * total // PARTS)
    failing = {
        seed: lines
        for seed in seeds
        if (lines := wrong(seeded_world(seed), seed, SHARES[seed // PARTS % len(SHARES)], horizon))
    }
    assert not failing, "\n".join(f"seed {seed}: {lines[0]}" for seed, lines in failing.items())


@pytest.mark.parametrize("part", range(PARTS))
def test_history_at_once_and_the_rest_live_end_in_the_tables_of_the_bounded_job(part: int) -> None:
    check(part, CASES)


@pytest.mark.parametrize("part", range(PARTS))
def test_so_they_do_where_cells_leave_events_behind(part: int) -> None:
    check(part, CASES, ANY_TIME)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_thousands_of_histories_end_there_too(part: int) -> None:
    check(part, LONG_CASES)
    check(part, LONG_CASES, ANY_TIME)


@pytest.mark.parametrize("horizon", [NO_HORIZON, ANY_TIME])
@pytest.mark.parametrize("every", [2, 3])
def test_a_profile_goes_on_from_the_moment_that_it_was_packed_with(
    every: int, horizon: Horizon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_engine, "_MOMENT_EVERY", every)
    monkeypatch.setattr(cell, "MOMENT_FROM", 1)
    begun: list[int | None] = []
    begin = cell.ProfileCell._begin

    def counting(self: cell.ProfileCell, rules: Rules, came: list[Record]) -> object:
        found = begin(self, rules, came)
        begun.append(self._resumed_at)
        return found

    monkeypatch.setattr(cell.ProfileCell, "_begin", counting)
    seeds = range(every * 1_000, every * 1_000 + 300)
    assert not {
        seed: lines[0] for seed in seeds if (lines := wrong(seeded_world(seed), seed, 0.7, horizon, in_order=True))
    }
    assert sum(at is not None for at in begun) > 40, "some of them went on from a moment"
