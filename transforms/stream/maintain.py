"""The keyed stages of the stream as a graph: deduplicated events go in at one end, rows come out of every stage.

After parsing, before the tables are written. Delivery: a row update may be written again and changes nothing then; the
update with the greatest version stands. Rows come out as soon as the event has passed the stages; what time alone
brings comes out when the watermark passes it.

| stage | state `cell` (bytes, with a version byte) | timer | set by | cleared |
| --- | --- | --- | --- | --- |
| Deduplicate | copies of one message id | `forget` (event time) | each event of the id | by firing, with the state |
| KnowNames, ResolveAliases, IndexLinks | facts of an id, of all aliases, of a user | none | | |
| ResolveDevices, ResolveUsers, CountErased | facts of a device, a user, a deletion | none | | |
| ListProfiles | `ids`: a bag of profile ids, one bucket of them | none | | rewritten at each refresh |
| MaintainProfiles | a profile | `due` (event time) | every change of the profile | replaced by each next one |
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias
from zlib import crc32

import apache_beam as beam
import msgspec
from apache_beam.coders import BytesCoder, StrUtf8Coder
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import (
    BagStateSpec,
    ReadModifyWriteStateSpec,
    TimerSpec,
    on_timer,
)
from apache_beam.typehints.decorators import no_annotations
from apache_beam.utils.timestamp import Timestamp

from schemas.update import RowUpdate
from transforms import counting
from transforms.blocks import Record
from transforms.identity.aliases import DEFAULT_MAX_MERGES
from transforms.identity.links import DEFAULT_STITCH_WINDOW_US
from transforms.stream.cell import FactCell, Output
from transforms.stream.deduplicate import MessageIdCell
from transforms.stream.devices import DeviceCell
from transforms.stream.evaluate import Rules
from transforms.stream.facts import Message, pack_messages, unpack_messages
from transforms.stream.group import GroupInBundle, Keyed, join, split
from transforms.stream.links import LinkIndexCell
from transforms.stream.names import NameCell
from transforms.stream.profiles import REFRESH, ProfileCell
from transforms.stream.receipts import ReceiptCell
from transforms.stream.registry import RegistryCell
from transforms.stream.stages import DEVICES, LINKS, NAMES, ORDER, PROFILES, RECEIPTS, REGISTRY, USERS
from transforms.stream.users import UserCell

ROWS = "rows"
PROFILE_LISTS = 256
"""In how many buckets the ids of all profiles are kept, for the refresh."""
_KNOWN_IDS = 200_000
"""How many profile ids a worker remembers to have listed."""
_MILLISECOND_US = 1_000

Outputs: TypeAlias = (
    TaggedOutput[Literal["rows"], RowUpdate]
    | TaggedOutput[Literal["names"], Keyed]
    | TaggedOutput[Literal["registry"], Keyed]
    | TaggedOutput[Literal["links"], Keyed]
    | TaggedOutput[Literal["devices"], Keyed]
    | TaggedOutput[Literal["users"], Keyed]
    | TaggedOutput[Literal["profiles"], Keyed]
    | TaggedOutput[Literal["receipts"], Keyed]
)
_LABELS = {
    NAMES: "KnowNames",
    REGISTRY: "ResolveAliases",
    LINKS: "IndexLinks",
    DEVICES: "ResolveDevices",
    USERS: "ResolveUsers",
    RECEIPTS: "CountErased",
    PROFILES: "MaintainProfiles",
}
_FACT_CELLS: dict[str, type[FactCell]] = {
    NAMES: NameCell,
    REGISTRY: RegistryCell,
    LINKS: LinkIndexCell,
    DEVICES: DeviceCell,
    USERS: UserCell,
    RECEIPTS: ReceiptCell,
}


class RulesSource(Protocol):
    """Where workers find the rules of the moment."""

    def current(self) -> Rules:
        """The rules; the same object until they change."""


@dataclass(frozen=True)
class FixedRules:
    """Rules that never change. Pickles as its definitions."""

    rules: Rules

    def current(self) -> Rules:
        return self.rules

    def __reduce__(self) -> Any:
        return _fixed_rules, (self.rules.program,)


def _fixed_rules(program: Any) -> FixedRules:
    return FixedRules(Rules(program))


@dataclass(frozen=True)
class StreamSettings:
    """Durations in microseconds.

    Args:
        rules: where the definitions are.
        clock: microseconds since the epoch; for `recorded_at`, and to know a drain: no watermark is ahead of the clock,
            so a timer beyond it fires only because the job is being drained, and is ignored.
        allowed_lateness_us: how long after its time an event may come.
        clock_skew_us: how far the clocks of workers may differ.
        stitch_window_us: CONTRACT section 3.
        max_merges: CONTRACT section 3.
    """

    rules: RulesSource
    clock: Callable[[], int]
    allowed_lateness_us: int
    clock_skew_us: int = 60 * 1_000_000
    stitch_window_us: int = DEFAULT_STITCH_WINDOW_US
    max_merges: int = DEFAULT_MAX_MERGES


class MaintainTables(beam.PTransform):
    """(message id, packed records) -> RowUpdate of all tables but those of what could not be parsed.

    Args:
        settings: of the stream.
        ticks: anything; at each one the profiles are evaluated again if the rules have changed or a day has passed.
    """

    def __init__(self, settings: StreamSettings, ticks: beam.PCollection[Any] | None = None) -> None:
        super().__init__()
        self._settings = settings
        self._ticks = ticks

    @no_annotations
    def expand(self, records: beam.PCollection[Keyed]) -> beam.PCollection[RowUpdate]:
        told = _keyed(records, "Messages") | "Deduplicate" >> beam.ParDo(_Deduplicate(self._settings)).with_outputs(
            *ORDER[1:], ROWS
        )
        by_stage = {stage: [told[stage]] for stage in ORDER[1:]}
        rows = [told[ROWS]]
        for stage in (NAMES, REGISTRY, LINKS, DEVICES, USERS, RECEIPTS):
            after = ORDER[ORDER.index(stage) + 1 :]
            united = by_stage[stage] | f"Unite{_LABELS[stage]}" >> beam.Flatten(pipeline=records.pipeline)
            do = beam.ParDo(_MaintainFacts(stage, self._settings))
            outputs = _keyed(united, _LABELS[stage]) | _LABELS[stage] >> do.with_outputs(*after, ROWS)
            for later in after:
                by_stage[later].append(outputs[later])
            rows.append(outputs[ROWS])
        rows.append(self._profiles(by_stage[PROFILES]))
        return rows | "UniteRows" >> beam.Flatten()

    def _profiles(self, told: Sequence[beam.PCollection[Keyed]]) -> beam.PCollection[RowUpdate]:
        messages = told | "UniteProfiles" >> beam.Flatten()
        if self._ticks is not None:
            ticks = (
                self._ticks
                | "OneTicker" >> beam.Map(_one_key).with_output_types(tuple[str, bytes])
                | "FindChanges" >> beam.ParDo(_FindChanges(self._settings)).with_output_types(tuple[str, bytes])
            )
            seen = messages | "ProfileIds" >> beam.ParDo(_ProfileIds()).with_output_types(tuple[str, bytes])
            listed = (seen, ticks) | "UniteLists" >> beam.Flatten()
            refreshed = _keyed(listed, "Lists") | "ListProfiles" >> beam.ParDo(_ListProfiles()).with_output_types(
                tuple[str, bytes]
            )
            messages = (messages, refreshed) | "UniteRefresh" >> beam.Flatten()
        maintain = beam.ParDo(_MaintainProfiles(self._settings)).with_output_types(RowUpdate)
        return _keyed(messages, "Profiles") | _LABELS[PROFILES] >> maintain


def _keyed(messages: beam.PCollection[Keyed], name: str) -> beam.PCollection[Keyed]:
    """Grouped within bundles, with the types that a keyed stage needs."""
    return messages | f"Group{name}" >> beam.ParDo(GroupInBundle()).with_output_types(tuple[str, bytes])


def told(outputs: Iterable[Output]) -> Iterator[Outputs]:
    """Rows one by one, messages packed by the cell that they are for."""
    by_cell: dict[tuple[str, str], list[Message]] = {}
    for output in outputs:
        if isinstance(output, RowUpdate):
            yield TaggedOutput(ROWS, output)
        else:
            by_cell.setdefault((output.stage, output.key), []).append(output)
    for (stage, key), messages in by_cell.items():
        yield TaggedOutput(stage, (key, pack_messages(messages)))


def messages_in(data: bytes) -> list[Message]:
    """The messages of a group."""
    return [message for part in split(data) for message in unpack_messages(part)]


_RECORDS = msgspec.msgpack.Decoder(list[tuple[Any, ...]])
_PACK = msgspec.msgpack.Encoder().encode


def pack_record(record: Record) -> bytes:
    """A record (an event, its bytes and its source) for the first stage."""
    return _PACK([record])


class _Deduplicate(beam.DoFn):
    CELL = ReadModifyWriteStateSpec("cell", BytesCoder())
    FORGET = TimerSpec("forget", TimeDomain.WATERMARK)

    def __init__(self, settings: StreamSettings) -> None:
        self._lateness_us = settings.allowed_lateness_us

    def start_bundle(self) -> None:
        self._duplicates = 0

    def process(
        self,
        element: Keyed,
        state: Any = beam.DoFn.StateParam(CELL),
        forget: Any = beam.DoFn.TimerParam(FORGET),
    ) -> Iterator[Outputs]:
        cell = MessageIdCell.unpack(state.read())
        before = len(cell.records)
        outputs = cell.handle([record for part in split(element[1]) for record in _RECORDS.decode(part)])
        self._duplicates += cell.duplicates
        if outputs or not before:
            state.write(cell.pack())
            forget.set(_timestamp(cell.keeps_until(self._lateness_us)))
        yield from told(outputs)

    @on_timer(FORGET)
    def forget(self, state: Any = beam.DoFn.StateParam(CELL), at: Timestamp = beam.DoFn.TimestampParam) -> None:
        data = state.read()
        if data and at.micros >= MessageIdCell.unpack(data).keeps_until(self._lateness_us):
            state.clear()

    def finish_bundle(self) -> None:
        counting.count(counting.DUPLICATE, self._duplicates)


class _MaintainFacts(beam.DoFn):
    CELL = ReadModifyWriteStateSpec("cell", BytesCoder())

    def __init__(self, stage: str, settings: StreamSettings) -> None:
        self._cell = _FACT_CELLS[stage]
        self._settings = settings

    def setup(self) -> None:
        self._state_bytes = Metrics.distribution(counting.NAMESPACE, f"state_bytes:{self._cell.__name__}")

    def process(self, element: Keyed, state: Any = beam.DoFn.StateParam(CELL)) -> Iterator[Outputs]:
        key, data = element
        cell = self._cell.unpack(key, state.read())
        cell.configure(self._settings.stitch_window_us, self._settings.max_merges)
        outputs = cell.handle(messages_in(data))
        packed = cell.pack()
        state.write(packed)
        self._state_bytes.update(len(packed))
        yield from told(outputs)


class _MaintainProfiles(beam.DoFn):
    CELL = ReadModifyWriteStateSpec("cell", BytesCoder())
    DUE = TimerSpec("due", TimeDomain.WATERMARK)

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings

    def setup(self) -> None:
        self._state_bytes = Metrics.distribution(counting.NAMESPACE, "state_bytes:ProfileCell")

    def process(
        self,
        element: Keyed,
        state: Any = beam.DoFn.StateParam(CELL),
        due: Any = beam.DoFn.TimerParam(DUE),
    ) -> Iterator[RowUpdate]:
        key, data = element
        cell = ProfileCell.unpack(key, state.read())
        updates = cell.handle(self._settings.rules.current(), messages_in(data), self._settings.clock())
        self._keep(cell, state, due)
        yield from updates

    @on_timer(DUE)
    def pass_time(
        self,
        key: str = beam.DoFn.KeyParam,
        at: Timestamp = beam.DoFn.TimestampParam,
        state: Any = beam.DoFn.StateParam(CELL),
        due: Any = beam.DoFn.TimerParam(DUE),
    ) -> Iterator[RowUpdate]:
        now = self._settings.clock()
        if at.micros > now + self._settings.clock_skew_us:
            return
        cell = ProfileCell.unpack(key, state.read())
        updates = cell.fire(self._settings.rules.current(), at.micros, now)
        self._keep(cell, state, due)
        yield from updates

    def _keep(self, cell: ProfileCell, state: Any, due: Any) -> None:
        packed = cell.pack()
        state.write(packed)
        self._state_bytes.update(len(packed))
        if cell.due is not None:
            due.set(_timestamp(cell.due))
        else:
            due.clear()


class _FindChanges(beam.DoFn):
    """At a tick: a message to every list of profiles, if the rules have changed since the last one or a day is over."""

    LAST = ReadModifyWriteStateSpec("last", StrUtf8Coder())

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings

    def process(self, element: Keyed, last: Any = beam.DoFn.StateParam(LAST)) -> Iterator[Keyed]:
        day = self._settings.clock() // (86_400 * 1_000_000)
        mark = f"{self._settings.rules.current().fingerprint} {day}"
        before = last.read()
        if before == mark:
            return
        last.write(mark)
        if before is not None:
            for number in range(PROFILE_LISTS):
                yield str(number), b""


class _ProfileIds(beam.DoFn):
    """The ids of profiles that this worker has not listed yet, each to its list."""

    def setup(self) -> None:
        self._known: set[str] = set()

    def process(self, element: Keyed) -> Iterator[Keyed]:
        profile_id = element[0]
        if profile_id not in self._known:
            if len(self._known) >= _KNOWN_IDS:
                self._known.clear()
            self._known.add(profile_id)
            yield str(crc32(profile_id.encode()) % PROFILE_LISTS), profile_id.encode()


class _ListProfiles(beam.DoFn):
    """Keeps the ids of a list; at a refresh every profile of it is told."""

    IDS = BagStateSpec("ids", BytesCoder())

    def process(self, element: Keyed, ids: Any = beam.DoFn.StateParam(IDS)) -> Iterator[Keyed]:
        parts = list(split(element[1]))
        new = [part for part in parts if part]
        if new:
            ids.add(join(new))
        if len(new) == len(parts):
            return
        known = sorted({profile_id for block in ids.read() for profile_id in split(block)})
        ids.clear()
        ids.add(join(known))
        for profile_id in known:
            key = profile_id.decode()
            yield key, pack_messages([Message(PROFILES, key, REFRESH)])


def _one_key(_: Any) -> Keyed:
    return "", b""


def _timestamp(micros: int) -> Timestamp:
    """The first whole millisecond at or after an instant: what every runner can keep."""
    return Timestamp(micros=-(-micros // _MILLISECOND_US) * _MILLISECOND_US)
