"""Without an archive, what has settled is gone for good; while nothing concerns it any more, no table tells."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from schemas.event import PREVIOUS_ID, TYPE, Event
from tests.laws.memory import SOURCE, World, parser, seeded_world
from tests.stream.simulation import ANY_TIME, Simulation, Tables, differences, expected
from transforms.records import Record
from transforms.segments.language import ast

CASES = int(os.environ.get("TIDEMARK_CASES", "240"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "8000"))
PARTS = 2


class InTime(Simulation):
    """Events come in order of time, each up to three places early; what they make known is told at once."""

    def __init__(self, world: World, definitions: ast.Definitions, seed: int) -> None:
        super().__init__(world, definitions, seed, replace(ANY_TIME, archive=False))
        self.to_come: list[Record] = []

    def run(self) -> Tables:
        order = sorted(self.records, key=lambda record: record[1])
        places = {id(record): place + self.random.choice((0, 0, 1, 3)) for place, record in enumerate(order)}
        self.to_come = sorted(order, key=lambda record: places[id(record)])
        while self.to_come:
            self.arrive([self.to_come.pop(0)])
            while self.queue:
                self.deliver(self.random.choice(list(self.queue)))
            self.advance(self.settled() + self.world.stitch_window)
        self.end()
        return self.written.tables()

    def settled(self) -> int:
        """No event comes that is older than the oldest to come; nor is one taken back, but for one that they name."""
        ids = {record[0] for record in self.to_come}
        ids |= {record[PREVIOUS_ID] for record in self.to_come if record[TYPE] == "retract"}
        times = [record[1] for record in self.records if record[0] in ids]
        return min(times, default=self.world.as_of + 1) - 1 - self.world.stitch_window

    def deliver(self, address: tuple[str, str]) -> None:
        """A cell leaves something behind while messages are on their way: what they are about has not settled."""
        held, self.to_come = self.to_come, list(self.records)
        super().deliver(address)
        self.to_come = held


def without_merges(world: World) -> World:
    """Also without the lines that are no events."""
    kinds = {line: parser().parse(line, SOURCE) for line in world.lines}
    kept = (line for line, event in kinds.items() if isinstance(event, Event) and event.type not in ("alias", "delete"))
    return replace(world, lines=tuple(kept))


def check(part: int, total: int) -> None:
    left_behind = 0
    for seed in range(part * total // PARTS, (part + 1) * total // PARTS):
        world = without_merges(seeded_world(seed))
        if world.lines:
            simulation = InTime(world, world.definitions, seed)
            wrong = differences(expected(world), simulation.run())
            assert not wrong, f"seed {seed}\n" + "\n".join(wrong)
            left_behind += simulation.left_behind
    assert left_behind > total // PARTS


@pytest.mark.parametrize("part", range(PARTS))
def test_what_has_settled_is_not_missed(part: int) -> None:
    check(part, CASES)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_what_has_settled_is_not_missed_in_thousands_of_worlds(part: int) -> None:
    check(part, LONG_CASES)
