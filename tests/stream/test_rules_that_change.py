"""Rules that change while a stream runs: it ends where a job does that has had the last ones from the beginning."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from tests.laws.memory import World, seeded_world
from tests.stream.simulation import ANY_TIME, HISTORIES, NO_HORIZON, Simulation, Tables, differences, expected
from transforms.profiles.evaluate import Rules
from transforms.profiles.history_cell import REFRESH
from transforms.segments.language import ast
from transforms.state.facts import Message
from transforms.state.horizon import Horizon

CASES = int(os.environ.get("TIDEMARK_CASES", "120"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "4000"))
PARTS = 2


class Changing(Simulation):
    """Begins with other rules; each cell of a profile or account is told at some time that there are new ones."""

    def __init__(self, world: World, former: ast.Definitions, seed: int, horizon: Horizon) -> None:
        super().__init__(world, former, seed, horizon)
        self.to_come: list[Any] = [*self.records, *self.failures]

    def run(self) -> Tables:
        self.random.shuffle(self.to_come)
        self.some(len(self.to_come) // 2)
        self.rules = Rules(self.world.definitions)
        for _ in range(2):  # as at two ticks: what is told meanwhile may have been said by the former rules
            self.refresh()
            self.some(len(self.to_come) // 3)
        self.some(len(self.to_come))
        self.refresh()
        self.end()
        return self.written.tables()

    def some(self, count: int) -> None:
        """Lets some records arrive, and some of what follows from them be told."""
        for _ in range(count):
            self.arrive([self.to_come.pop()])
            for _ in range(self.random.choice((0, 1, 4))):
                if self.queue:
                    self.deliver(self.random.choice(list(self.queue)))
            if self.random.random() < 0.1 and self.records:
                self.advance(self.random.choice(self.records)[1])

    def refresh(self) -> None:
        """Tells every profile and account that there is."""
        for address, shelf in list(self.shelves.items()):
            for key in shelf if address[0] in HISTORIES else ():
                self.queue[address[0], key].append(Message(address[0], key, REFRESH))


def wrong(seed: int, horizon: Horizon) -> list[str]:
    world, other = seeded_world(seed), seeded_world(seed + 1)
    former = other.definitions
    if seed % 2:
        # Some rules stay, and some that stay are about people only.
        mixed = (*world.definitions.about("users").segments, *former.about("accounts").segments)
        former = replace(former, segments=mixed, traits=world.definitions.traits)
        known = {item.name for item in (*former.segments, *former.traits)}
        if len(known) < len(former.segments) + len(former.traits):
            former = other.definitions
    return differences(expected(world), Changing(world, former, seed, horizon).run())


def check(part: int, total: int, horizon: Horizon) -> None:
    failing = [seed for seed in range(part * total // PARTS, (part + 1) * total // PARTS) if wrong(seed, horizon)]
    assert not failing, f"seeds {failing[:9]}\n" + "\n".join(wrong(failing[0], horizon))


@pytest.mark.parametrize("horizon", [NO_HORIZON, ANY_TIME], ids=["in memory", "left behind"])
@pytest.mark.parametrize("part", range(PARTS))
def test_new_rules_end_in_the_tables_of_the_bounded_job(part: int, horizon: Horizon) -> None:
    check(part, CASES, horizon)


@pytest.mark.long
@pytest.mark.parametrize("horizon", [NO_HORIZON, ANY_TIME], ids=["in memory", "left behind"])
@pytest.mark.parametrize("part", range(PARTS))
def test_new_rules_end_there_in_thousands_of_worlds(part: int, horizon: Horizon) -> None:
    check(part, LONG_CASES, horizon)
