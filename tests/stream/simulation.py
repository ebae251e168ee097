"""The stream without Beam: cells in dicts, messages delivered in any order, a watermark that moves when it likes."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from schemas.event import PREVIOUS_ID, TYPE, Failure
from schemas.tables import TABLES
from schemas.update import RowUpdate
from tests.laws.memory import World, whole
from transforms.accounts.cell import AccountCell
from transforms.accounts.contribution import ACCOUNTS
from transforms.deduplicate.cell import MessageIdCell, keeps_until
from transforms.deduplicate.copies import RETRACT
from transforms.deduplicate.retraction_cell import RetractionCell
from transforms.identity.cells.devices import DeviceCell
from transforms.identity.cells.failures import FailureCell
from transforms.identity.cells.link_index import LinkIndexCell
from transforms.identity.cells.names import NameCell
from transforms.identity.cells.receipts import ReceiptCell
from transforms.identity.cells.registry import RegistryCell
from transforms.identity.cells.users import UserCell
from transforms.profiles.cell import ProfileCell
from transforms.profiles.evaluate import Rules
from transforms.records import Record
from transforms.segments.language import ast
from transforms.state.archive import Archive
from transforms.state.boot_shelves import BootShelves
from transforms.state.facts import Message, pack_messages, unpack_messages
from transforms.state.horizon import Horizon
from transforms.state.outbox import bucket_of
from transforms.state.shelf import Shelf
from transforms.stream.stages import (
    DEVICES,
    FAILURES,
    LINKS,
    MESSAGES,
    NAMES,
    ORDER,
    PROFILES,
    RECEIPTS,
    REGISTRY,
    RETRACTIONS,
    USERS,
    failure_targets,
)

Tables = dict[str, dict[tuple[Any, ...], tuple[Any, ...]]]
"""Rows by table and key, without the columns that tell when a row was written."""
WRITTEN_WHEN = {"version", "recorded_at", "completed_at"}
BUCKETS = 3
CELLS: dict[str, Any] = {
    MESSAGES: MessageIdCell,
    PROFILES: ProfileCell,
    ACCOUNTS: AccountCell,
    NAMES: NameCell,
    REGISTRY: RegistryCell,
    LINKS: LinkIndexCell,
    DEVICES: DeviceCell,
    USERS: UserCell,
    RECEIPTS: ReceiptCell,
    RETRACTIONS: RetractionCell,
    FAILURES: FailureCell,
}
HISTORIES = (PROFILES, ACCOUNTS)
"""The stages whose cells have rules."""
SETTLING = (DEVICES, USERS, *HISTORIES)
"""The stages whose cells leave events behind."""


def comparable(table: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The row without what tells when it was written."""
    names = next(known for known in TABLES if known.name == table).column_names()
    return tuple(value for name, value in zip(names, row, strict=True) if name not in WRITTEN_WHEN)


def expected(world: World) -> Tables:
    """The tables by F."""
    keys = {table.name: len(table.key) for table in TABLES}
    tables = whole(world)
    return {name: {row[: keys[name]]: comparable(name, row) for row in rows} for name, rows in tables.items()}


class Written:
    """The tables as a sink keeps them: the greatest version stands, whatever order updates come in."""

    def __init__(self) -> None:
        self.newest: dict[tuple[str, tuple[Any, ...]], RowUpdate] = {}
        self.keys = {table.name: len(table.key) for table in TABLES}

    def write(self, update: RowUpdate) -> None:
        key = (update.table, update.row[: self.keys[update.table]])
        known = self.newest.get(key)
        if known is None or update.version > known.version:
            self.newest[key] = update
            return
        if update.version == known.version:
            assert update == known, f"two rows of one version: {known} and {update}"

    def tables(self) -> Tables:
        found: Tables = {table.name: {} for table in TABLES}
        for (table, key), update in self.newest.items():
            if not update.withdrawn:
                found[table][key] = comparable(table, update.row)
        return found


def differences(expected: Tables, got: Tables) -> list[str]:
    """Every row that differs, on a line."""
    return [
        f"{table} {key}: batch {expected[table].get(key)} stream {got[table].get(key)}"
        for table in expected
        if table != "membership_changes"
        for key in sorted({*expected[table], *got[table]}, key=str)
        if expected[table].get(key) != got[table].get(key)
    ]


def sum_of_log(changes: Iterable[tuple[Any, ...]]) -> dict[tuple[Any, ...], Any]:
    """What rows of `membership_changes` come to: (profile, segment, entered_at) -> exited_at."""
    stays: dict[tuple[Any, ...], Any] = {}
    for _, profile, segment, _, change, at, *_ in sorted(changes, key=lambda row: (row[1], row[-1])):
        if change == "entered":
            assert (profile, segment, at) not in stays
            stays[profile, segment, at] = None
        elif change == "retracted":
            del stays[profile, segment, at]
        else:
            began = [key for key, end in stays.items() if key[:2] == (profile, segment) and end is None]
            stays[max(key for key in began if key[2] < at)] = at
    return stays


NO_HORIZON = Horizon(0, least=1 << 60, forgets=False)
ANY_TIME = Horizon(0, least=1, grid_us=24, forgets=False)
"""Every cell leaves behind what it can: also what may still change, so that it must be given back."""


class Simulation:
    """Runs a world through the cells. `seed` decides the order of everything.

    With another `horizon` than NO_HORIZON cells leave events behind at random moments, up to any instant that the
    watermark has passed by its age.
    """

    first: BootShelves | None = None
    """The cells that there were before."""

    def __init__(self, world: World, definitions: ast.Definitions, seed: int, horizon: Horizon = NO_HORIZON) -> None:
        self.world = world
        self.rules = Rules(definitions)
        self.random = random.Random(seed)  # noqa: S311 - test data, no secret
        self.logs: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        self.shelves: dict[tuple[str, str], Shelf[Any]] = {}
        self.queue: dict[tuple[str, str], list[Message]] = defaultdict(list)
        self.written = Written()
        self.records, self.failures = world.parsed
        self.counted: Counter[str] = Counter()
        self.watermark = 0
        self.clock = 0
        self.horizon = horizon
        self.archives: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        self.left_behind = self.given_back = 0

    def run(self) -> Tables:
        arrivals: list[Record] = [*self.records, *self.failures]
        self.random.shuffle(arrivals)
        while arrivals or self.queue:
            self.step(arrivals)
        self.end()
        return self.written.tables()

    def step(self, arrivals: list[Record]) -> None:
        """Some of what is still to come arrives, or a message of a stage does; time may pass."""
        if arrivals and self.random.random() < 0.4:
            self.arrive([arrivals.pop() for _ in range(min(len(arrivals), self.random.choice((1, 1, 2, 5))))])
            self.forget_ids({record[0] for record in arrivals})
        elif self.queue:
            self.deliver(self.random.choice(list(self.queue)))
        if self.random.random() < 0.05 and self.records:
            self.advance(self.random.choice([record[1] for record in self.records]))

    def end(self) -> None:
        """The watermark passes `as_of`; what profiles tell their accounts then arrives, and late timers fire."""
        self.advance(self.world.as_of)
        while self.queue:
            self.deliver(self.random.choice(list(self.queue)))
            self.advance(self.world.as_of)

    def arrive(self, arrived: list[Record]) -> None:
        for failure in arrived:
            if isinstance(failure, Failure):
                self.send(MESSAGES, [Message(*target) for target in failure_targets(failure)])
        records = [record for record in arrived if not isinstance(record, Failure)]
        named = [(record[PREVIOUS_ID], record[0]) for record in records if record[TYPE] == RETRACT]
        ids = [*(record[0] for record in records), *(one for one, _ in named)]
        self.random.shuffle(ids)
        for message_id in dict.fromkeys(ids):
            address = (MESSAGES, bucket_of(message_id, BUCKETS))
            shelf = self.shelf(address)
            same = [record for record in records if record[0] == message_id]
            cell = shelf.cell(message_id)
            if not same and not cell.records and self.horizon.archive:
                cell.restore(self.archived(address, lambda archive, key=message_id: list(archive.take(key))))
            self.send(MESSAGES, cell.handle(same, [by for one, by in named if one == message_id]))
            self.count(cell)
            self.keep(address, shelf)

    def forget_ids(self, still_to_come: set[str]) -> None:
        """Forgets message ids at random, of those whose copies have all come, and have come where they belong."""
        if self.horizon is NO_HORIZON:
            return
        facts = (message.fact for messages in self.queue.values() for message in messages)
        still_to_come = still_to_come | {part for fact in facts for part in fact if isinstance(part, str)}
        for address in [address for address in self.shelves if address[0] == MESSAGES]:
            shelf = self.shelf(address)
            for message_id in [one for one in shelf if one not in still_to_come and self.random.random() < 0.3]:
                cell = shelf.cell(message_id)
                if keeps_until(cell.records, 0) is None:
                    continue
                reminder = cell.reminder()
                if reminder is not None:
                    self.archived(address, lambda archive, key=message_id, told=reminder: archive.add(key, told))
                shelf.forget(message_id)
            self.keep(address, shelf)

    def deliver(self, address: tuple[str, str]) -> None:
        stage, key = address
        waiting = self.queue.pop(address)
        self.random.shuffle(waiting)
        count = self.random.choice((1, 3, len(waiting)))
        if waiting[count:]:
            self.queue[address] = waiting[count:]
        messages = list(unpack_messages(pack_messages(waiting[:count])))
        place = (stage, bucket_of(key, BUCKETS))
        shelf = self.shelf(place)
        cell = self.cell(shelf, place, key, messages)
        if stage in HISTORIES:
            self.clock += 1
            self.send(stage, cell.handle(self.rules, messages, self.clock))
        else:
            self.send(stage, cell.handle(messages))
        self.count(cell)
        if self.random.random() < 0.5:
            self.leave_behind(cell, place, key)
        shelf.settle(key)
        self.keep(place, shelf)

    def cell(self, shelf: Shelf[Any], place: tuple[str, str], key: str, messages: Sequence[Message] = ()) -> Any:
        """The cell, with its past if it needs that."""
        cell = shelf.cell(key)
        if place[0] not in HISTORIES:
            cell.configure(self.world.stitch_window, self.world.max_merges)
        if place[0] in SETTLING:
            cell.horizon = self.horizon
            asked = (self.rules, messages) if place[0] in HISTORIES else (messages,)
            if self.horizon.archive and cell.needs_past(*asked):
                self.given_back += 1
                cell.restore(self.archived(place, lambda archive: list(archive.take(key))))
        return cell

    def leave_behind(self, cell: Any, place: tuple[str, str], key: str) -> None:
        settled = [record[1] for record in self.records if record[1] <= self.settled()]
        if place[0] not in SETTLING or not settled:
            return
        until = self.random.choice(settled)
        left = cell.leave_behind(self.rules, until) if place[0] in HISTORIES else cell.leave_behind(until)
        if left is not None:
            self.left_behind += left[1]
            self.archived(place, lambda archive: archive.add(key, left[0]))

    def archived(self, place: tuple[str, str], use: Callable[[Archive], Any]) -> Any:
        """Uses the archive of a shelf, whose blocks come in any order."""
        blocks = list(self.archives[place])
        self.random.shuffle(blocks)
        archive = Archive(lambda: blocks, keeps=self.horizon.archive)
        found = use(archive)
        self.clock += 1
        rewrite, added = archive.commit(self.clock)
        self.archives[place] = [*(() if rewrite else blocks), *added]
        return found

    def shelf(self, address: tuple[str, str]) -> Shelf[Any]:
        """The shelf, as it was left or read again from its log, whose blocks come in any order."""
        if address not in self.shelves or self.random.random() < 0.2:
            blocks = list(self.logs[address])
            self.random.shuffle(blocks)
            first = None if self.first is None else self.first.of_shelf(*address)
            self.shelves[address] = Shelf(CELLS[address[0]], blocks, first=first)
        return self.shelves[address]

    def keep(self, address: tuple[str, str], shelf: Shelf[Any]) -> None:
        self.logs[address].append(shelf.commit())
        if self.random.random() < 0.1:
            self.logs[address] = [shelf.whole()]

    def advance(self, watermark: int) -> None:
        """Moves the watermark; timers that it passes fire, one shelf after the other."""
        self.watermark = max(self.watermark, watermark)
        for address in [address for address in self.logs if address[0] in HISTORIES]:
            shelf = self.shelf(address)
            for key in shelf.due(self.watermark):
                self.clock += 1
                cell = self.cell(shelf, address, key)
                self.send(address[0], cell.fire(self.rules, self.watermark, self.clock))
                if self.random.random() < 0.5:
                    self.leave_behind(cell, address, key)
                shelf.settle(key)
            self.keep(address, shelf)

    def settled(self) -> int:
        """An instant at and before which nothing changes any more, by all that is still to come."""
        return self.watermark - self.horizon.age_us

    def send(self, stage: str, outputs: Iterable[Message | RowUpdate]) -> None:
        for output in outputs:
            if isinstance(output, RowUpdate):
                self.write(output)
                continue
            assert ORDER.index(output.stage) > ORDER.index(stage)
            self.queue[output.stage, output.key].append(output)

    def write(self, update: RowUpdate) -> None:
        """Gives a row to the output."""
        self.written.write(update)

    def count(self, cell: Any) -> None:
        self.counted.update(cell.counted)
        cell.counted.clear()

    def current_log(self) -> dict[tuple[Any, ...], Any]:
        """What the log of changes comes to."""
        return sum_of_log(u.row for u in self.written.newest.values() if u.table == "membership_changes")
