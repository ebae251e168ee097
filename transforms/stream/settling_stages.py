"""The keyed stages whose cells leave behind what has settled: devices, users, profiles, accounts.

Their states: maintain.py.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from schemas.stamp import came_us_of
from transforms.accounts.cell import AccountCell
from transforms.accounts.contribution import ACCOUNTS
from transforms.identity.cells.devices import DeviceCell
from transforms.identity.cells.failures import FailureCell
from transforms.identity.cells.users import UserCell
from transforms.profiles.cell import ProfileCell
from transforms.profiles.history_cell import REFRESH
from transforms.state.archive import Archive
from transforms.state.cell import Output
from transforms.state.facts import Message
from transforms.state.outbox import Keyed, Outbox
from transforms.state.shelf import Shelf
from transforms.state.shelf_dofn import (
    EVERYONE,
    KEY_PARAM,
    TIMESTAMP_PARAM,
    ArchivingDoFn,
    Outputs,
    ShelfDoFn,
    by_key,
    given,
)
from transforms.stream.find_changes import called
from transforms.stream.settings import StreamSettings
from transforms.stream.stages import DEVICES, FAILURES, PROFILES, USERS

OWNER_CELLS: dict[str, Any] = {DEVICES: DeviceCell, USERS: UserCell, FAILURES: FailureCell}
MOST_WOKEN = 1_000
"""Profiles, or accounts, that one call of a timer evaluates: a quarter of a second, and so much memory. What is due
besides has the timer fire again, after what waits for the shelf."""
HISTORY_CELLS: dict[str, Any] = {PROFILES: ProfileCell, ACCOUNTS: AccountCell}


class MaintainOwners(ArchivingDoFn):
    SETTLE = TimerSpec("settle", TimeDomain.WATERMARK)

    def __init__(self, stage: str, settings: StreamSettings) -> None:
        super().__init__(OWNER_CELLS[stage], settings)

    def start_bundle(self) -> None:
        self._outbox = Outbox(self._settings.buckets)

    def process(
        self,
        element: Keyed,
        at: Timestamp = TIMESTAMP_PARAM,
        head: Any = beam.DoFn.StateParam(ShelfDoFn.HEAD),
        log: Any = beam.DoFn.StateParam(ShelfDoFn.LOG),
        bag: Any = beam.DoFn.StateParam(ArchivingDoFn.ARCHIVE),
        settle: Any = beam.DoFn.TimerParam(SETTLE),
    ) -> Iterator[Outputs]:
        shelf, archive = self.take_shelf(element[0], head, log), self.open_archive(bag)
        before = None if self.is_first else shelf.next_due()
        outputs: list[Output] = []
        for key, messages in by_key(element[1]).items():
            cell = self._cell(shelf, key)
            behind = cell.left_behind()
            needs_past = archive.keeps and cell.needs_past(messages)
            if needs_past:
                cell.restore(archive.take(key))
            outputs += cell.handle(messages)
            self.count(cell)
            if needs_past and behind is not None:
                self.put_away(key, cell.leave_behind(behind[1]), archive)
            shelf.settle(key)
        self._keep(element[0], shelf, head, log, archive, bag)
        self._set_timer(settle, before, shelf.next_due())
        self._outbox.take(outputs, at.micros, came_us_of(element[1]))
        return iter(())

    def finish_bundle(self) -> Iterator[Any]:
        yield from given(self._outbox)

    @on_timer(SETTLE)
    def settle(
        self,
        bucket: str = KEY_PARAM,
        at: Timestamp = TIMESTAMP_PARAM,
        head: Any = beam.DoFn.StateParam(ShelfDoFn.HEAD),
        log: Any = beam.DoFn.StateParam(ShelfDoFn.LOG),
        bag: Any = beam.DoFn.StateParam(ArchivingDoFn.ARCHIVE),
        settle: Any = beam.DoFn.TimerParam(SETTLE),
    ) -> None:
        if self.is_drain(at):
            return
        shelf, archive = self.take_shelf(bucket, head, log), self.open_archive(bag)
        forgotten: list[str] = []
        for key in shelf.due(at.micros):
            cell = self._cell(shelf, key)
            self.put_away(key, cell.leave_behind(at.micros - self.horizon.age_us), archive)
            if cell.has_forgotten:
                forgotten.append(key)
            shelf.settle(key)
        if forgotten:
            archive.purge()
        self._keep(bucket, shelf, head, log, archive, bag, forgotten)
        self._set_timer(settle, None, shelf.next_due())

    def _cell(self, shelf: Shelf[Any], key: str) -> Any:
        cell = shelf.cell(key)
        cell.configure(self._settings.stitch_window_us, self._settings.max_merges)
        cell.horizon = self.horizon
        return cell

    def _keep(
        self,
        bucket: str,
        shelf: Shelf[Any],
        head: Any,
        log: Any,
        archive: Archive,
        bag: Any,
        purge: Sequence[str] = (),
    ) -> None:
        self.keep_shelf(bucket, shelf, head, log, purge)
        self.keep_archived(shelf, archive, bag)

    def _set_timer(self, settle: Any, before: int | None, due: int | None) -> None:
        if due is not None and due != before:
            settle.set(Timestamp(micros=self._settings.timer_for(due)))


class MaintainHistories(ArchivingDoFn):
    """Profiles, which tell their accounts, or accounts."""

    DUE = TimerSpec("due", TimeDomain.WATERMARK)

    def __init__(self, stage: str, settings: StreamSettings) -> None:
        super().__init__(HISTORY_CELLS[stage], settings)
        self._stage = stage

    def process(
        self,
        element: Keyed,
        head: Any = beam.DoFn.StateParam(ShelfDoFn.HEAD),
        log: Any = beam.DoFn.StateParam(ShelfDoFn.LOG),
        bag: Any = beam.DoFn.StateParam(ArchivingDoFn.ARCHIVE),
        due: Any = beam.DoFn.TimerParam(DUE),
    ) -> Iterator[Outputs]:
        shelf, archive = self.take_shelf(element[0], head, log), self.open_archive(bag)
        waiting = by_key(element[1])
        for key in called(shelf, waiting.pop(EVERYONE, ()), self._settings.buckets):
            waiting.setdefault(key, []).append(Message(self._stage, key, REFRESH))
        rules, now = self._settings.rules.current(), self._settings.clock()
        outbox, came_us = Outbox(self._settings.buckets), came_us_of(element[1])
        for key, messages in waiting.items():
            cell = self._cell(shelf, key)
            behind, needs_past = cell.base_at, self._give_back(key, cell, rules, messages, archive)
            outbox.take(cell.handle(rules, messages, now), 0, came_us)
            self.count(cell)
            if needs_past and behind is not None:
                # At once: a rule that changes would else bring the past of all profiles into memory.
                self.put_away(key, cell.leave_behind(rules, behind), archive)
            shelf.settle(key)
        self._keep(element[0], shelf, head, log, due)
        self.keep_archived(shelf, archive, bag)
        yield from _given(outbox)

    @on_timer(DUE)
    def pass_time(
        self,
        bucket: str = KEY_PARAM,
        at: Timestamp = TIMESTAMP_PARAM,
        head: Any = beam.DoFn.StateParam(ShelfDoFn.HEAD),
        log: Any = beam.DoFn.StateParam(ShelfDoFn.LOG),
        bag: Any = beam.DoFn.StateParam(ArchivingDoFn.ARCHIVE),
        due: Any = beam.DoFn.TimerParam(DUE),
    ) -> Iterator[Outputs]:
        if self.is_drain(at):
            return
        shelf, archive = self.take_shelf(bucket, head, log), self.open_archive(bag)
        rules, now = self._settings.rules.current(), self._settings.clock()
        outbox = Outbox(self._settings.buckets)
        for key in islice(shelf.due(at.micros), MOST_WOKEN):  # `_keep` sets the timer for the others
            cell = self._cell(shelf, key)
            self._give_back(key, cell, rules, (), archive)
            outbox.take(cell.fire(rules, at.micros, now), at.micros)
            self.put_away(key, cell.leave_behind(rules, at.micros - self.horizon.age_us), archive)
            shelf.settle(key)
        self._keep(bucket, shelf, head, log, due)
        self.keep_archived(shelf, archive, bag)
        yield from _given(outbox)

    def _cell(self, shelf: Shelf[Any], key: str) -> Any:
        cell = shelf.cell(key)
        cell.horizon = self.horizon
        return cell

    @staticmethod
    def _give_back(key: str, cell: Any, rules: Any, messages: Sequence[Message], archive: Archive) -> bool:
        needs_past = archive.keeps and cell.needs_past(rules, messages)
        if needs_past:
            cell.restore(archive.take(key))
        return needs_past

    def _keep(self, bucket: str, shelf: Shelf[Any], head: Any, log: Any, due: Any) -> None:
        self.keep_shelf(bucket, shelf, head, log)
        next_due = shelf.next_due()
        if next_due is None:
            due.clear()
        else:
            due.set(Timestamp(micros=self._settings.timer_for(next_due)))


def _given(outbox: Outbox) -> Iterator[Any]:
    """What an element or a timer has led to: it has their time."""
    for tag, element in outbox.give():
        yield TaggedOutput(tag, element)
