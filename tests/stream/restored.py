"""The stream without Beam on a runner that dies and goes on from its last checkpoint, in another order."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple

from schemas.update import RowUpdate
from tests.laws.memory import World
from tests.stream.simulation import NO_HORIZON, Simulation, Tables
from transforms.records import Record
from transforms.state.facts import Message
from transforms.state.horizon import Horizon

MOST_DEATHS = 4


class _Checkpoint(NamedTuple):
    """All that a checkpoint holds: states, what is on its way, what has not been read, rows that wait for it."""

    logs: dict[tuple[str, str], list[bytes]]
    archives: dict[tuple[str, str], list[bytes]]
    queue: dict[tuple[str, str], list[Message]]
    arrivals: list[Record]
    watermark: int
    held: list[RowUpdate]


class Restored(Simulation):
    """Takes checkpoints at random moments, and dies at others.

    Rows are written when a checkpoint that has them is complete (pipelines/io/tables/hold_rows.py), or at once.
    """

    def __init__(
        self,
        world: World,
        seed: int,
        horizon: Horizon = NO_HORIZON,
        *,
        holds: bool = True,
        goes_back: bool = False,
    ) -> None:
        super().__init__(world, world.definitions, seed, horizon)
        self.holds = holds
        self.goes_back = goes_back
        self.held: list[RowUpdate] = []
        self.arrivals: list[Record] = [*self.records, *self.failures]
        self.deaths = 0
        self.taken_back = 0
        """Rows that were made and never given out: of a past that is no more."""
        self.random.shuffle(self.arrivals)
        self.completed: list[tuple[_Checkpoint, dict[Any, RowUpdate]]] = []
        self.went_back = 0
        self.complete(self.checkpoint())

    def run(self) -> Tables:
        while True:
            while self.arrivals or self.queue:
                self.step(self.arrivals)
                chance = self.random.random()
                if chance < 0.08:
                    self.complete(self.checkpoint())
                elif chance < 0.1:
                    self.checkpoint()  # which is never complete: it died before, or the store was away
                elif chance < 0.16:
                    self.die()
                elif chance < 0.17 and self.goes_back:
                    self.go_back()
            self.end()
            if self.random.random() < 0.5 or not self.die():
                break
        self.complete(self.checkpoint())
        return self.written.tables()

    def checkpoint(self) -> _Checkpoint:
        return deepcopy(_Checkpoint(self.logs, self.archives, self.queue, self.arrivals, self.watermark, self.held))

    def complete(self, checkpoint: _Checkpoint) -> None:
        """From now on a death leads back to here; the rows that waited for it go out."""
        self.last = checkpoint
        self.completed.append((checkpoint, dict(self.written.newest)))
        self.release(self.held)
        self.held = []

    def release(self, rows: list[RowUpdate]) -> None:
        self.random.shuffle(rows)
        for update in rows:
            self.written.write(update)

    def die(self) -> bool:
        """Everything since the last checkpoint is gone, and comes again in another order; False: not once more."""
        if self.deaths == MOST_DEATHS:
            return False
        self.deaths += 1
        self.taken_back += len(self.held)
        self.logs, self.archives, self.queue, self.arrivals, self.watermark, self.held = deepcopy(self.last)
        self.shelves.clear()
        self.random.shuffle(self.arrivals)
        return True

    def go_back(self) -> None:
        """Somebody starts from an older checkpoint, and deletes from the logs what was written since it was done."""
        place = self.random.randrange(len(self.completed))
        self.last, self.written.newest = self.completed[place][0], dict(self.completed[place][1])
        del self.completed[place + 1 :]
        self.deaths, self.went_back = 0, self.went_back + 1
        self.die()

    def write(self, update: RowUpdate) -> None:
        if self.holds:
            self.held.append(update)
            return
        # Of a past that is no more there may be a row of the same version: BigQuery keeps what was written last.
        key = (update.table, update.row[: self.written.keys[update.table]])
        if key not in self.written.newest or self.written.newest[key].version <= update.version:
            self.written.newest[key] = update

    def deliver_all(self) -> None:
        """What is on its way arrives, in any order."""
        while self.queue:
            self.deliver(self.random.choice(list(self.queue)))

    def arrive_all(self, *records: Record) -> None:
        """These records come and go through all stages."""
        self.arrive(list(records))
        self.arrivals = [record for record in self.arrivals if record not in records]
        self.deliver_all()


def stays_of(tables: dict[str, dict[tuple[Any, ...], tuple[Any, ...]]]) -> dict[tuple[Any, ...], Any]:
    """(profile, segment, entered_at) -> exited_at."""
    return {key: row[3] for key, row in tables["memberships"].items()}
