"""The keyed stages of the stream with their states in memory, without a runner: what they keep can be weighed.

Runs the DoFns of transforms/stream themselves, one bundle at a time, so that states, timers and work are those of a
worker. What a runner adds (its round trips, its copies) is not in it.
"""

from __future__ import annotations

import heapq
import inspect
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from schemas.update import unpack_updates
from transforms.records import Record
from transforms.state.block import block_of
from transforms.state.facts import Message, pack_messages
from transforms.state.first_cells import PackedCell
from transforms.state.head import Head
from transforms.state.outbox import ROWS, bucket_of
from transforms.state.shelf_dofn import _SHELVES
from transforms.stream.maintain import FACT_CELLS, _Deduplicate, _MaintainFacts, keyed_records
from transforms.stream.settings import StreamSettings
from transforms.stream.settling_stages import HISTORY_CELLS, OWNER_CELLS, MaintainHistories, MaintainOwners
from transforms.stream.stages import MESSAGES, ORDER

Address = tuple[str, str]
"""(stage, shelf)."""


class InMemoryStream:
    """One worker that has all shelves.

    Attributes:
        settings: those of the stages.
        rows: how many rows were given out.
        row_bytes: of the blocks that they were in. Both as `count_rows` has counted them last.
        fired: how many timers have fired.
        longest_seconds: of a core, of one bundle of a stage or of one shelf's timer.
    """

    def __init__(self, settings: StreamSettings, clock: SetClock) -> None:
        self.settings = settings
        self.clock = clock
        self._buckets = settings.buckets
        self._stages: dict[str, Any] = {MESSAGES: _Deduplicate(settings)}
        self._stages |= {stage: MaintainHistories(stage, settings) for stage in HISTORY_CELLS}
        self._stages |= {stage: MaintainOwners(stage, settings) for stage in OWNER_CELLS}
        self._stages |= {stage: _MaintainFacts(stage, settings) for stage in FACT_CELLS}
        for stage in self._stages.values():
            stage.setup()
        self._states: dict[Address, _States] = defaultdict(_States)
        self._heap: list[tuple[int, Address]] = []
        self._waiting: dict[str, list[tuple[str, bytes]]] = {stage: [] for stage in ORDER}
        self._blocks: list[bytes] = []
        self.rows = self.row_bytes = self.fired = 0
        self.longest_seconds = 0.0

    def take(self, records: Sequence[Record], at_us: int) -> None:
        """A bundle of records, through all stages, as they happen."""
        self.clock.now_us = max(self.clock.now_us, at_us)
        self._waiting[MESSAGES] += keyed_records(records, self._buckets)
        self._deliver(at_us)

    def advance(self, to_us: int) -> None:
        """The watermark comes to an instant: every timer up to it fires, in order, as a bundle of its own."""
        self.clock.now_us = max(self.clock.now_us, to_us)
        while self._heap and self._heap[0][0] <= to_us:
            at_us, (stage, bucket) = heapq.heappop(self._heap)
            states = self._states[stage, bucket]
            if states.timer.at_us != at_us:
                continue  # it was set anew
            states.timer.at_us = None
            self.fired += 1
            do = self._stages[stage]
            fire = do.pass_time if stage in HISTORY_CELLS else do.forget if stage == MESSAGES else do.settle
            started = time.process_time()
            self._start_bundle(stage)
            self._hand_on(fire(**states.bound(fire, at_us, bucket=bucket)))
            self._note_timer(stage, bucket)
            self._finish_bundle(stage, started)
            self._deliver(at_us)

    def commit(self, stage: str, cells: Iterable[PackedCell]) -> None:
        """Writes cells into the logs of their shelves, for the stage to find there. It holds none of them yet."""
        by_bucket: dict[str, list[PackedCell]] = defaultdict(list)
        for cell in cells:
            by_bucket[bucket_of(cell[0], self._buckets)].append(cell)
        for bucket, of_shelf in by_bucket.items():
            states = self._states[stage, bucket]
            before = Head.unpack(states.head.read())
            block = block_of(len(states.log.read()) + 1, of_shelf)
            states.log.add(block)
            size = before.logged + len(block)
            states.head.write(Head(size, size, b"8 bytes.").pack())

    def wake(self, at_us: int) -> None:
        """An empty element to every shelf that holds anything, as a bundle each."""
        for stage, bucket in sorted(self._states):
            self.tell(stage, bucket, [], at_us)

    def tell(self, stage: str, bucket: str, messages: Iterable[Message], at_us: int) -> None:
        """An element of messages to a shelf, as a bundle, and what follows from it."""
        self.clock.now_us = max(self.clock.now_us, at_us)
        self._waiting[stage].append((bucket, pack_messages(messages)))
        self._deliver(at_us)

    def state_bytes(self, *stages: str) -> dict[Address, int]:
        """What each shelf has in the runner's state, of these stages or of all; the archive apart: `archive_bytes`."""
        return {
            address: states.head.size() + states.log.size()
            for address, states in self._states.items()
            if not stages or address[0] in stages
        }

    def compact_bytes(self, *stages: str) -> int:
        """What the cells of these stages come to, packed: a shelf's log holds up to twice that, and 256 KB."""
        return sum(len(shelf.whole()) for stage in stages for _, shelf in self.cells(stage))

    def archive_bytes(self) -> int:
        """What lies in the archives of all shelves."""
        return sum(states.bag.size() for states in self._states.values())

    def timers(self) -> int:
        """How many timers are set at the runner."""
        return sum(states.timer.at_us is not None for states in self._states.values())

    def cells(self, stage: str) -> Iterator[tuple[str, Any]]:
        """The shelves of a stage that this process holds."""
        job = self._stages[stage]._job
        for (of, bucket), (_, shelf) in _SHELVES.snapshot():
            if of == job:
                yield bucket, shelf

    def count_rows(self) -> int:
        """Unpacks what was given out, to count it: `rows` is right then."""
        self.rows += sum(len(unpack_updates(block)) for block in self._blocks)
        self.row_bytes += sum(map(len, self._blocks))
        self._blocks.clear()
        return self.rows

    def _deliver(self, at_us: int) -> None:
        """What waits goes through the stages that it is for and those after them, a bundle for each."""
        for stage in ORDER:
            elements, self._waiting[stage] = self._waiting[stage], []
            if not elements:
                continue
            started = time.process_time()
            self._start_bundle(stage)
            process = self._stages[stage].process
            for element in elements:
                self._hand_on(process(**self._states[stage, element[0]].bound(process, at_us, element=element)))
                self._note_timer(stage, element[0])
            self._finish_bundle(stage, started)

    def _start_bundle(self, stage: str) -> None:
        if stage not in HISTORY_CELLS:
            self._stages[stage].start_bundle()

    def _finish_bundle(self, stage: str, started: float) -> None:
        if stage not in HISTORY_CELLS:
            self._hand_on(self._stages[stage].finish_bundle())
        self.longest_seconds = max(self.longest_seconds, time.process_time() - started)

    def _hand_on(self, outputs: Iterable[Any] | None) -> None:
        """Rows are kept, messages wait for their stage."""
        for tagged in outputs or ():
            element = tagged.value.value if isinstance(tagged.value, WindowedValue) else tagged.value
            if tagged.tag == ROWS:
                self._blocks.append(element)
            else:
                self._waiting[tagged.tag].append(element)

    def _note_timer(self, stage: str, bucket: str) -> None:
        timer = self._states[stage, bucket].timer
        if timer.changed and timer.at_us is not None:
            heapq.heappush(self._heap, (timer.at_us, (stage, bucket)))
        timer.changed = False


class SetClock:
    """A clock that stands where it was set: a stream that is not behind."""

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


class _States:
    """The states and the timer of a shelf."""

    def __init__(self) -> None:
        self.head, self.log, self.bag, self.timer = _Value(), _Bag(), _Bag(), _Timer()

    def bound(self, method: Any, at_us: int, **given: Any) -> dict[str, Any]:
        """What a method of the stage's DoFn takes, by the names of its arguments: what is no state is its timer."""
        known = {"head": self.head, "log": self.log, "bag": self.bag, "at": Timestamp(micros=at_us), **given}
        return {name: known.get(name, self.timer) for name in _names(method.__func__)}


@cache
def _names(function: Any) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)[1:]


class _Value:
    def __init__(self) -> None:
        self._value: bytes | None = None

    def read(self) -> bytes | None:
        return self._value

    def write(self, value: bytes) -> None:
        self._value = value

    def size(self) -> int:
        return len(self._value or b"")


class _Bag:
    def __init__(self) -> None:
        self._values: list[bytes] = []

    def read(self) -> list[bytes]:
        return list(self._values)

    def add(self, value: bytes) -> None:
        self._values.append(value)

    def clear(self) -> None:
        self._values = []

    def size(self) -> int:
        return sum(map(len, self._values))


class _Timer:
    def __init__(self) -> None:
        self.at_us: int | None = None
        self.changed = False

    def set(self, at: Timestamp) -> None:
        self.at_us, self.changed = at.micros, True

    def clear(self) -> None:
        self.at_us, self.changed = None, True
