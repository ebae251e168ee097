"""The keyed stages of the stream as a graph: deduplicated events go in at one end, rows come out of every stage.

After parsing, before the tables are written. Delivery: a row update may be written again and changes nothing then; the
update with the greatest version stands. Rows come out as soon as the event has passed the stages; what time alone
brings comes out when the watermark passes it.

Every stage keeps its cells on shelves (`shelf.py`), keyed by a bucket of the cells' keys.

| stage | a cell for | states | timer (event time), set by what changes and by firing, cleared when nothing is due |
| --- | --- | --- | --- |
| Deduplicate | a message id | `archive`, `head`, `log` | `forget`: the first that can be forgotten |
| KnowNames | a user id or previous id | `head`, `log` | |
| ResolveAliases | the one registry | `head`, `log` | |
| IndexLinks | a user id | `head`, `log` | |
| ResolveDevices | an anonymous id | `archive`, `head`, `log` | `settle`: the first that leaves something behind |
| ResolveUsers | a user id | `archive`, `head`, `log` | `settle`: the same |
| CountErased | a deletion | `head`, `log` | |
| TellRetractions | a retract | `head`, `log` | |
| KeepFailures | a failure | `archive` (empty), `head`, `log` | `settle`: the first whose bytes are gone for good |
| MaintainProfiles | a profile | `archive`, `head`, `log` | `due`: the first that changes by itself, or leaves events |
| MaintainAccounts | an account | `archive`, `head`, `log` | `due`: the same |
| FindChanges | the rules seen last | `last` | |
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import TimerSpec, on_timer
from apache_beam.typehints.decorators import no_annotations
from apache_beam.utils.timestamp import Timestamp

from schemas.event import MESSAGE_ID, PREVIOUS_ID, TYPE, Failure
from schemas.stamp import came_us_of, packed_of, stamped
from transforms.accounts.contribution import ACCOUNTS
from transforms.deduplicate.cell import MessageIdCell, keeps_until
from transforms.deduplicate.copies import RETRACT
from transforms.deduplicate.retraction_cell import RetractionCell
from transforms.failed_events import failure_id
from transforms.identity.cells.link_index import LinkIndexCell
from transforms.identity.cells.names import NameCell
from transforms.identity.cells.receipts import ReceiptCell
from transforms.identity.cells.registry import RegistryCell
from transforms.records import Record
from transforms.state.cell import FactCell, Output
from transforms.state.facts import Message
from transforms.state.first_cells import PackedCell
from transforms.state.outbox import ROWS, Keyed, Outbox, bucket_of
from transforms.state.shelf import Shelf
from transforms.state.shelf_dofn import (
    KEY_PARAM,
    TIMESTAMP_PARAM,
    ArchivingDoFn,
    Outputs,
    ShelfDoFn,
    by_key,
    given,
)
from transforms.stream.find_changes import FindChanges
from transforms.stream.settings import StreamSettings
from transforms.stream.settling_stages import OWNER_CELLS, MaintainHistories, MaintainOwners
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

_OF_EVENTS = tuple(stage for stage in ORDER if stage != ACCOUNTS)
"""The stages that events pass through. Only profiles tell accounts."""
_APART = tuple(stage for stage in ORDER if ORDER.index(stage) >= ORDER.index(DEVICES))
"""The stages that can be worked on elsewhere than those before them: that is about half of the work."""
_FORGET_EVERY_US = 3_600 * 1_000_000
"""Message ids are forgotten in heaps: that much later than they could be."""

_LABELS = {
    MESSAGES: "Deduplicate",
    NAMES: "KnowNames",
    REGISTRY: "ResolveAliases",
    LINKS: "IndexLinks",
    DEVICES: "ResolveDevices",
    USERS: "ResolveUsers",
    RECEIPTS: "CountErased",
    RETRACTIONS: "TellRetractions",
    FAILURES: "KeepFailures",
    PROFILES: "MaintainProfiles",
    ACCOUNTS: "MaintainAccounts",
}
FACT_CELLS: dict[str, type[FactCell]] = {
    NAMES: NameCell,
    REGISTRY: RegistryCell,
    LINKS: LinkIndexCell,
    RECEIPTS: ReceiptCell,
    RETRACTIONS: RetractionCell,
}


class MaintainTables(beam.PTransform[beam.PCollection[Keyed], beam.PCollection[bytes]]):
    """(shelf, packed records and failures) -> packed `RowUpdate`s of all tables.

    Args:
        settings: of the stream.
        ticks: anything; at each one all profiles are evaluated again if the rules have changed, else those whose turn
            it is: everybody once a day.
    """

    def __init__(self, settings: StreamSettings, ticks: beam.PCollection[Any] | None = None) -> None:
        super().__init__()
        self._settings = settings
        self._ticks = ticks

    @no_annotations
    def expand(self, records: beam.PCollection[Keyed]) -> beam.PCollection[bytes]:
        if self._settings.boot is not None:
            records = (records, self._wakes(records, MESSAGES)) | "WithWakes" >> beam.Flatten()
        told = records | "Deduplicate" >> beam.ParDo(_Deduplicate(self._settings)).with_outputs(*_OF_EVENTS[1:], ROWS)
        by_stage = {stage: [told[stage]] for stage in _OF_EVENTS[1:]}
        if self._settings.boot is not None:
            for stage in (*OWNER_CELLS, PROFILES):
                by_stage[stage].append(self._wakes(records, stage))
        rows = [told[ROWS]]
        for stage in (RETRACTIONS, NAMES, REGISTRY, LINKS, DEVICES, USERS, RECEIPTS, FAILURES):
            after = _OF_EVENTS[_OF_EVENTS.index(stage) + 1 :]
            united = by_stage[stage] | f"Unite{_LABELS[stage]}" >> beam.Flatten(pipeline=records.pipeline)
            do = self._placed(
                beam.ParDo((MaintainOwners if stage in OWNER_CELLS else _MaintainFacts)(stage, self._settings)), stage
            )
            outputs = united | _LABELS[stage] >> do.with_outputs(*after, ROWS)
            for later in after:
                by_stage[later].append(outputs[later])
            rows.append(outputs[ROWS])
        rows += self._histories(by_stage[PROFILES])
        all_rows: beam.PCollection[bytes] = rows | "UniteRows" >> beam.Flatten()
        return all_rows

    def _placed(self, do: beam.ParDo, stage: str) -> beam.ParDo:
        if self._settings.apart and stage in _APART:
            do.with_resource_hints(cpu_count="1")
        return do

    def _wakes(self, beside: beam.PCollection[Any], stage: str) -> beam.PCollection[Keyed]:
        """An empty element for each shelf of a stage: that which a boot has filled sets its timer."""
        empty = [(str(bucket), _PACK([])) for bucket in range(self._settings.buckets)]
        wakes: beam.PCollection[Keyed] = beside.pipeline | f"Wake{_LABELS[stage]}" >> beam.Create(
            empty, reshuffle=False
        ).with_output_types(Keyed)
        return wakes

    def _histories(self, told: Sequence[beam.PCollection[Keyed]]) -> list[beam.PCollection[bytes]]:
        """The rows of profiles, and of the accounts that these tell."""
        refresh = () if self._ticks is None else self._refreshes(self._ticks)
        messages = (*told, *refresh) | "UniteProfiles" >> beam.Flatten()
        maintain = self._placed(beam.ParDo(MaintainHistories(PROFILES, self._settings)), PROFILES)
        profiles = messages | _LABELS[PROFILES] >> maintain.with_outputs(ACCOUNTS, ROWS)
        wakes = () if self._settings.boot is None else (self._wakes(profiles[ACCOUNTS], ACCOUNTS),)
        of_accounts = (profiles[ACCOUNTS], *refresh, *wakes) | "UniteAccounts" >> beam.Flatten()
        maintain = self._placed(beam.ParDo(MaintainHistories(ACCOUNTS, self._settings)), ACCOUNTS)
        accounts = of_accounts | _LABELS[ACCOUNTS] >> maintain.with_outputs(ROWS)
        return [profiles[ROWS], accounts[ROWS]]

    def _refreshes(self, ticks: beam.PCollection[Any]) -> tuple[beam.PCollection[Keyed]]:
        found: beam.PCollection[Keyed] = (
            ticks
            | "OneTicker" >> beam.Map(_one_key).with_output_types(tuple[str, bytes])
            | "FindChanges" >> beam.ParDo(FindChanges(self._settings)).with_output_types(tuple[str, bytes])
        )
        return (found,)


_RECORDS = msgspec.msgpack.Decoder(list[tuple[Any, ...]])
_NAMED_BY = 2
"""The length of (id, id of a retract that names it)."""
_OF_FAILURE = len(Failure._fields)
_PACK = msgspec.msgpack.Encoder().encode


def keyed_records(
    records: Iterable[Record], buckets: int, failures: Iterable[Failure] = (), came_us: int = 0
) -> list[Keyed]:
    """Records (an event, its bytes and its source each) and failures for the first stage, by shelf.

    A retract goes also to the shelf of the id that it names, as (that id, its own). `came_us`: when the first came in.
    """
    by_shelf: dict[str, list[Record]] = {}
    for failure in failures:
        by_shelf.setdefault(bucket_of(failure_id(failure.reason, failure.raw), buckets), []).append(failure)
    for record in records:
        by_shelf.setdefault(bucket_of(record[MESSAGE_ID], buckets), []).append(record)
        if record[TYPE] == RETRACT:
            named = record[PREVIOUS_ID]
            by_shelf.setdefault(bucket_of(named, buckets), []).append((named, record[MESSAGE_ID]))
    return [(bucket, stamped(_PACK(of_shelf), came_us)) for bucket, of_shelf in by_shelf.items()]


class _Deduplicate(ArchivingDoFn):
    FORGET = TimerSpec("forget", TimeDomain.WATERMARK)

    def __init__(self, settings: StreamSettings) -> None:
        super().__init__(MessageIdCell, settings)

    def start_bundle(self) -> None:
        self._outbox = Outbox(self._settings.buckets)

    def process(
        self,
        element: Keyed,
        at: Timestamp = TIMESTAMP_PARAM,
        head: Any = beam.DoFn.StateParam(ShelfDoFn.HEAD),
        log: Any = beam.DoFn.StateParam(ShelfDoFn.LOG),
        bag: Any = beam.DoFn.StateParam(ArchivingDoFn.ARCHIVE),
        forget: Any = beam.DoFn.TimerParam(FORGET),
    ) -> Iterator[Outputs]:
        shelf, archive = self.take_shelf(element[0], head, log), self.open_archive(bag)
        before = None if self.is_first else self._next_due(shelf)
        by_id: dict[str, tuple[list[Record], list[str]]] = {}
        outputs: list[Output] = []
        for record in _RECORDS.decode(packed_of(element[1])):
            if len(record) == _OF_FAILURE:
                outputs += [Message(*target) for target in failure_targets(Failure(*record))]
                continue
            records, retracts = by_id.setdefault(record[MESSAGE_ID], ([], []))
            if len(record) == _NAMED_BY:
                retracts.append(record[1])
            else:
                records.append(record)
        for message_id, told in by_id.items():
            cell = shelf.cell(message_id)
            if told[1] and not cell.records and archive.keeps:
                cell.restore(archive.take(message_id))
            outputs += cell.handle(*told)
            self.count(cell)
            cell.due = keeps_until(cell.records, self._settings.allowed_lateness_us)
            shelf.settle(message_id)
        self.keep_shelf(element[0], shelf, head, log)
        self.keep_archived(shelf, archive, bag)
        due = self._next_due(shelf)
        if before is None and due is not None:
            forget.set(Timestamp(micros=self._settings.timer_for(due, _FORGET_EVERY_US)))
        self._outbox.take(outputs, at.micros, came_us_of(element[1]))
        return iter(())

    @on_timer(FORGET)
    def forget(
        self,
        bucket: str = KEY_PARAM,
        at: Timestamp = TIMESTAMP_PARAM,
        head: Any = beam.DoFn.StateParam(ShelfDoFn.HEAD),
        log: Any = beam.DoFn.StateParam(ShelfDoFn.LOG),
        bag: Any = beam.DoFn.StateParam(ArchivingDoFn.ARCHIVE),
        forget: Any = beam.DoFn.TimerParam(FORGET),
    ) -> None:
        if self.is_drain(at):
            return
        shelf, archive = self.take_shelf(bucket, head, log), self.open_archive(bag)
        for message_id in shelf.due(at.micros):
            reminder = shelf.cell(message_id).reminder()
            if reminder is not None:
                self.put_away(message_id, (reminder, 1), archive)
            shelf.forget(message_id)
        _forget_first(shelf, at.micros)
        self.keep_shelf(bucket, shelf, head, log)
        self.keep_archived(shelf, archive, bag)
        due = self._next_due(shelf)
        if due is not None:
            forget.set(Timestamp(micros=self._settings.timer_for(due, _FORGET_EVERY_US)))

    def finish_bundle(self) -> Iterator[Any]:
        yield from given(self._outbox)

    def _next_due(self, shelf: Shelf[MessageIdCell]) -> int | None:
        """When ids can be forgotten next. Of those from before the job a part an hour: nobody waits for that."""
        due, settles = shelf.next_due(), None if shelf.first is None else shelf.first.settles_at()
        if settles is None:
            return due
        at = max(settles[0], self._settings.clock() + _FORGET_EVERY_US)
        return at if due is None else min(due, at)


def _forget_first(shelf: Shelf[MessageIdCell], until: int) -> None:
    """Forgets the ids of a part that was there before the job began: what has to be known of them stays in its place.

    That is so whether or not this bundle is written: no copy of them can come any more.
    """
    settles = None if shelf.first is None else shelf.first.settles_at()
    if shelf.first is not None and settles is not None and settles[0] <= until:
        shelf.first.rewrite(settles[1], _as_reminder, wakes=False)


def _as_reminder(packed: PackedCell) -> PackedCell | None:
    message_id, due, data = packed
    if due is None:
        return packed
    reminder = MessageIdCell.unpack(message_id, data).reminder()
    return None if reminder is None else (message_id, None, reminder)


class _MaintainFacts(ShelfDoFn):
    def __init__(self, stage: str, settings: StreamSettings) -> None:
        super().__init__(FACT_CELLS[stage], settings)

    def start_bundle(self) -> None:
        self._outbox = Outbox(self._settings.buckets)

    def process(
        self,
        element: Keyed,
        at: Timestamp = TIMESTAMP_PARAM,
        head: Any = beam.DoFn.StateParam(ShelfDoFn.HEAD),
        log: Any = beam.DoFn.StateParam(ShelfDoFn.LOG),
    ) -> Iterator[Outputs]:
        shelf = self.take_shelf(element[0], head, log)
        outputs: list[Output] = []
        for key, messages in by_key(element[1]).items():
            cell = shelf.cell(key)
            cell.configure(self._settings.stitch_window_us, self._settings.max_merges)
            outputs += cell.handle(messages)
            self.count(cell)
        self.keep_shelf(element[0], shelf, head, log)
        self._outbox.take(outputs, at.micros, came_us_of(element[1]))
        return iter(())

    def finish_bundle(self) -> Iterator[Any]:
        yield from given(self._outbox)


def _one_key(_: Any) -> Keyed:
    return "", b""
