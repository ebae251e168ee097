"""Binds shelves to Beam's state, and messages to Beam's elements: what every keyed stage of the stream is built on."""

import gc
import uuid
from collections import Counter
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any, Literal, TypeAlias

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.pvalue import TaggedOutput
from apache_beam.runners.worker import statecache
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from transforms import counting
from transforms.state.archive import Archive
from transforms.state.facts import Message, unpack_messages
from transforms.state.head import Head
from transforms.state.outbox import Keyed, Outbox
from transforms.state.process import PROCESS, Registry
from transforms.state.shelf import Shelf
from transforms.stream.settings import StreamSettings

EVERYONE = ""
"""The key of a message for all profiles of a shelf."""
Outputs: TypeAlias = (
    TaggedOutput[Literal["rows"], bytes]
    | TaggedOutput[Literal["names"], Keyed]
    | TaggedOutput[Literal["registry"], Keyed]
    | TaggedOutput[Literal["links"], Keyed]
    | TaggedOutput[Literal["devices"], Keyed]
    | TaggedOutput[Literal["users"], Keyed]
    | TaggedOutput[Literal["profiles"], Keyed]
    | TaggedOutput[Literal["accounts"], Keyed]
    | TaggedOutput[Literal["receipts"], Keyed]
    | TaggedOutput[Literal["retractions"], Keyed]
    | TaggedOutput[Literal["failures"], Keyed]
)
_SPARE_LOG_BYTES = 256 * 1024
"""A log is rewritten when it has twice the bytes of what is in it, and this many more."""
_COLLECT_AFTER = (50_000, 20, 50)
"""Objects, young collections, middle collections: see the module `gc`."""
_SHELVES: Registry[tuple[str, str], tuple[bytes, Shelf[Any]]] = PROCESS.registry()
"""(DoFn, key) -> (salt of its last commit, shelf): what this process holds. One bundle at a time works on a key."""

TIMESTAMP_PARAM: Any = beam.DoFn.TimestampParam
KEY_PARAM: Any = beam.DoFn.KeyParam
"""Defaults of typed arguments: Beam finds its markers by value, a type checker takes a marker for the default."""


@cache
def measure_values_only() -> None:
    """From the first call on Beam's cache of state in this process is measured by what it holds.

    Beam 2.77 measures a value at each access to state. Before it does it lists the globals of all modules, to leave
    them out: two or three thousand modules, two to five milliseconds, whatever the value. Nothing leads there from a
    value, since modules and functions are not followed anyway.
    """
    statecache.get_deep_size = deep_size


def deep_size(*values: Any) -> int:
    """What Beam's own function gives."""
    size: int = statecache.objsize.get_deep_size(
        *values,
        get_size_func=statecache._size_func,
        get_referents_func=statecache._get_referents_func,
        filter_func=statecache._filter_func,
        exclude_modules_globals=False,
    )
    return size


class ShelfDoFn(beam.DoFn):
    """A DoFn whose cells are on shelves, one shelf per key.

    A shelf is kept in the worker's memory between bundles. Each commit leaves a new salt in the state `head`; a shelf
    in memory is used only if it has the salt that the state has, so one that a failed bundle has changed, or that
    another worker has gone on with, is read again from the log and the head.

    Attributes:
        is_first: whether nothing was ever written of the shelf that was taken last: its timer stands nowhere yet.
    """

    HEAD = ReadModifyWriteStateSpec("head", BytesCoder())
    LOG = BagStateSpec("log", BytesCoder())

    def __init__(self, make: type[Any], settings: StreamSettings) -> None:
        self._make = make
        self._settings = settings
        self._job = uuid.uuid4().hex
        self._gone: dict[str, tuple[bytes, Collection[str]]] = {}

    def setup(self) -> None:
        # What the shelves hold is a million small objects that stay. Python's cycle collector looked at them again and
        # again: a third of the time of the stream. Cells hold no cycles; what else does can wait this long.
        gc.set_threshold(*_COLLECT_AFTER)
        measure_values_only()

    def teardown(self) -> None:
        for key, _ in _SHELVES.snapshot():
            if key[0] == self._job:
                _SHELVES.take(key)

    def is_drain(self, at: Timestamp) -> bool:
        """Whether a timer for `at` fires although its time has not come: the job is being drained."""
        return bool(at.micros > self._settings.clock() + self._settings.clock_skew_us)

    def take_shelf(self, bucket: str, head: Any, log: Any) -> Shelf[Any]:
        """The shelf, to be changed. Until `keep_shelf` no shelf of the bucket is in memory."""
        self._head = Head.unpack(head.read())
        self._counted: Counter[str] = Counter()
        self.is_first = not self._head.salt
        salt, shelf = _SHELVES.take((self._job, bucket)) or (b"", None)
        if shelf is None or salt != self._head.salt:
            boot, name = self._settings.boot, self._make.__name__
            logged = () if self.is_first else (*log.read(), *self._head.recent)
            first = None if boot is None else boot.of_shelf(name, bucket)
            shelf = Shelf(self._make, logged, self._settings.live_cells(), first)
        committed, gone = self._gone.pop(bucket, (b"", ()))
        if gone and shelf.first is not None and committed == self._head.salt:
            shelf.first.drop(gone)
        return shelf

    def count(self, cell: Any) -> None:
        """Takes over what a cell has counted, for `keep_shelf` to tell."""
        if cell.counted:
            self._counted.update(cell.counted)
            cell.counted.clear()

    def keep_shelf(self, bucket: str, shelf: Shelf[Any], head: Any, log: Any, purge: Collection[str] = ()) -> None:
        """Writes what has changed; rewrites the log when most of it is out of date. Tells what was counted.

        Args:
            bucket: the shelf's.
            shelf: what `take_shelf` gave.
            head: a state.
            log: the other.
            purge: cells that have let something go for good: nothing of them but what they are now is to remain.
        """
        for name, by in self._counted.items():
            counting.count(name, by)
        now = self._head.with_block(shelf.commit())
        if purge or now.logged > 2 * now.whole + _SPARE_LOG_BYTES:
            log.clear()
            whole = shelf.whole()
            log.add(whole)
            now = Head.of_whole(whole)
            counting.observe(counting.CELL_BYTES + self._make.__name__, now.whole // max(1, shelf.count_logged()))
        elif now.is_full():
            for block in now.recent:
                log.add(block)
            now = now.moved()
        counting.observe(counting.LOG_BYTES + self._make.__name__, now.logged)
        if purge:
            self._gone[bucket] = now.salt, purge  # what was there before the log goes once this is surely written
        head.write(now.pack())
        _SHELVES.put((self._job, bucket), (now.salt, shelf))


class ArchivingDoFn(ShelfDoFn):
    """A `ShelfDoFn` whose cells leave behind what has settled (horizon.py), to be given back when they need it."""

    ARCHIVE = BagStateSpec("archive", BytesCoder())

    def setup(self) -> None:
        super().setup()
        self.horizon = self._settings.horizon()
        prefix = counting.ARCHIVED if self.horizon.archive else counting.DISCARDED
        self._left_behind = prefix + self._make.__name__

    def open_archive(self, bag: Any) -> Archive:
        """The shelf's archive, unread."""
        return Archive(bag.read, keeps=self.horizon.archive)

    def put_away(self, key: str, left: tuple[bytes, int] | None, archive: Archive) -> None:
        """Keeps what a cell has left behind, if it did; `keep_shelf` tells how much."""
        if left is not None:
            archive.add(key, left[0])
            self._counted[self._left_behind] += left[1]

    def keep_archived(self, shelf: Shelf[Any], archive: Archive, bag: Any) -> None:
        """Writes what was put away. After `keep_shelf`."""
        rewrite, blocks = archive.commit(shelf.number)
        if rewrite:
            bag.clear()
        for block in blocks:
            bag.add(block)


def given(outbox: Outbox) -> Iterator[TaggedOutput[Any, WindowedValue]]:
    """What a bundle has to say, as Beam takes it at its end."""
    for tag, element in outbox.give():
        yield TaggedOutput(tag, WindowedValue(element, Timestamp(micros=outbox.at_us or 0), (GlobalWindow(),)))


def by_key(data: bytes) -> dict[str, list[Message]]:
    """The messages of a group, by cell."""
    found: dict[str, list[Message]] = {}
    for message in unpack_messages(data):
        found.setdefault(message.key, []).append(message)
    return found
