"""Parsed messages as blocks of columns, sorted by where each event goes next.

Every event goes to where its owner is, as if it were the only one with its message id; a number of its message id goes
to where repeated ones are found; and its bytes wait, in case it is (deduplicate/bucket.py). Aliases, deletions and
retracts mean something for other events: they are few, and travel as records.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from schemas.event import MESSAGE_ID, PREVIOUS_ID, TYPE, Event, Failure
from transforms.columns.blocks import Keyed, concatenated, pack, packed_by
from transforms.columns.events import EVENTS, LINKS, TEXT, columns_of
from transforms.columns.message_ids import numbers_of
from transforms.columns.selection import Selection
from transforms.deduplicate.copies import RETRACT, record_of
from transforms.records import Buckets, Record

ROWS_PER_BATCH: Final = 1024
"""Events that are held as objects: few enough that their memory is used again while it is in the cache."""
ID_BUCKETS: Final = 16
"""By which the numbers of message ids are sorted: a number is 8 bytes, so few are enough."""
NO_ATTRIBUTES: Final[Mapping[str, Any]] = MappingProxyType({})
CLAIMS: Final = frozenset(("alias", "delete", RETRACT))

_SEEN: Final = (
    pa.field("number", pa.uint64()),
    pa.field("timestamp", pa.int64()),
    pa.field("user_id", TEXT),
)
SAID: Final = pa.schema([*_SEEN, ("raw", pa.large_binary()), ("source", TEXT), ("attributes", TEXT)])
"""Of each event the number of its message id, and what it was read from: what may have copies is parsed once more."""
PLACES: Final = pa.schema([*_SEEN, ("place", pa.int64())])
"""The same where what it was read from can be read again: its place among the messages of its origin."""


class Origin(Protocol):
    """Where messages were read from, and can be read again at no great cost. Pickles."""

    @property
    def source(self) -> str:
        """The input as given to --input."""

    def groups(self) -> Generator[Sequence[bytes | Failure], None, None]:
        """The messages, or lines of messages, some at a time, the same ones each time."""


class Originals(NamedTuple):
    """What some events were read from: a block of SAID, or, with an origin, of PLACES."""

    origin: Origin | None
    packed: bytes


class EventBlocks(NamedTuple):
    """Blocks of some parsed events.

    Attributes:
        known: (bucket of the user, events that name a user).
        devices: (bucket of the device, events that name none).
        links: (bucket of the device, that its user is behind it).
        ids: (a bucket, numbers of message ids); ids that must not be on the fast path stand in it twice.
        originals: `Originals` of every event.
        claims: (bucket of the message id, records of aliases, deletions and retracts).
    """

    known: Any
    devices: Any
    links: Any
    ids: Any
    originals: Any
    claims: Any


class EventCollector:
    """Takes parsed events, one by one or as columns; gives them as blocks.

    Args:
        buckets: how many buckets of users and of devices there are.
        origin: where all of them were read from, if they can be read again.
    """

    def __init__(self, buckets: int, origin: Origin | None = None) -> None:
        self._buckets = buckets
        self._origin = origin
        self._batches: list[pa.RecordBatch] = []
        self._said_batches: list[pa.RecordBatch] = []
        self._claims: list[Record] = []
        self._events: list[Event] = []
        self._said: list[tuple[bytes, str, bytes | None]] = []
        self._places: list[int] = []
        self._place_batches: list[np.ndarray] = []

    def add(
        self, event: Event, raw: bytes, source: str, attributes: Mapping[str, Any] = NO_ATTRIBUTES, place: int = -1
    ) -> None:
        """Takes an event, and the message that it was read from, which stands at some place in the origin."""
        if event[TYPE] in CLAIMS:
            self._claims.append(record_of(event, raw, source, attributes))
            return
        self._events.append(event)
        if self._origin is None:
            self._said.append((raw, source, orjson.dumps(attributes) if attributes else None))
        else:
            self._places.append(place)
        if len(self._events) >= ROWS_PER_BATCH:
            self._close_batch()

    def add_columns(self, events: pa.RecordBatch, places: np.ndarray, raws: list[bytes], source: str) -> None:
        """Takes events that are none of CLAIMS, and where they stand; without an origin, what they were read from."""
        if not events.num_rows:
            return
        self._batches.append(events)
        if self._origin is None:
            self._keep_said([(raw, source, None) for raw in raws])
        else:
            self._place_batches.append(places)

    def _close_batch(self) -> None:
        if not self._events:
            return
        self._batches.append(columns_of(self._events))
        self._events = []
        if self._origin is None:
            self._keep_said(self._said)
            self._said = []
        else:
            self._place_batches.append(np.array(self._places, np.int64))
            self._places = []

    def _keep_said(self, said: list[tuple[bytes, str, bytes | None]]) -> None:
        raws, sources, attributes = zip(*said, strict=True)
        columns = [pa.array(raws, pa.large_binary()), _text(sources), _text(attributes)]
        self._said_batches.append(pa.RecordBatch.from_arrays(columns, schema=pa.schema([*SAID][len(_SEEN) :])))

    def blocks(self) -> Iterator[tuple[str, Any]]:
        """(field of `EventBlocks`, element) of everything that was taken."""
        self._close_batch()
        if self._batches:
            events = concatenated((pa.Table.from_batches([batch]) for batch in self._batches), EVENTS)
            self._batches = []
            numbers = numbers_of(events.column("message_id"))
            yield from _events_blocks(events, self._buckets)
            yield from _id_blocks(numbers)
            yield "originals", self._originals(events, numbers)
        if self._claims:
            yield from _claim_blocks(self._claims, self._buckets)

    def _originals(self, events: pa.Table, numbers: np.ndarray) -> Originals:
        seen = [pa.array(numbers), events.column("timestamp"), events.column("user_id")]
        if self._origin is not None:
            places = pa.array(np.concatenate(self._place_batches))
            return Originals(self._origin, pack(pa.Table.from_arrays([*seen, places], schema=PLACES)))
        said = pa.Table.from_batches(self._said_batches).columns
        return Originals(None, pack(pa.Table.from_arrays([*seen, *said], schema=SAID)))


def _text(values: tuple[Any, ...]) -> pa.Array:
    """Values that are mostly all the same."""
    if len(set(values)) == 1:
        return pa.repeat(pa.scalar(values[0], TEXT), len(values))
    return pa.array(values, TEXT)


def _events_blocks(events: pa.Table, buckets: int) -> Iterator[tuple[str, Keyed]]:
    named = events.column("user_id").is_valid().to_numpy()
    every = Selection(events)
    for name, chosen, key in (
        ("known", every.where(named), "user_id"),
        ("devices", every.where(~named), "anonymous_id"),
        ("links", Selection(links_of(events)), "device"),
    ):
        for keyed in packed_by(chosen, key, buckets):
            yield name, keyed


def links_of(events: pa.Table) -> pa.Table:
    """The links that events make which name a user and a device."""
    names = ("anonymous_id", "timestamp", "message_id", "user_id")
    linking = events.select(names)
    linking = linking.filter(pc.and_(linking.column("anonymous_id").is_valid(), linking.column("user_id").is_valid()))
    said = pa.repeat(pa.scalar(False), linking.num_rows)
    return pa.Table.from_arrays([*(linking.column(name) for name in names), said], schema=LINKS)


def _id_blocks(numbers: Any) -> Iterator[tuple[str, Keyed]]:
    of_bucket = numbers % ID_BUCKETS
    for bucket in range(ID_BUCKETS):
        found = numbers[of_bucket == bucket]
        if len(found):
            yield "ids", (bucket, found.tobytes())


def _claim_blocks(claims: Sequence[Record], buckets: int) -> Iterator[tuple[str, Keyed]]:
    by_id = Buckets(buckets)
    for claim in claims:
        by_id.add(claim[MESSAGE_ID], claim)
    for keyed in by_id.blocks():
        yield "claims", keyed
    # Twice, so that whatever else has one of these ids is compared with them: copies, and what a retract names.
    ids = pa.array([*_own_and_retracted(claims)] * 2, TEXT)
    yield from _id_blocks(numbers_of(ids))


def _own_and_retracted(claims: Iterable[Record]) -> Iterator[str]:
    for claim in claims:
        yield claim[MESSAGE_ID]
        if claim[TYPE] == RETRACT:
            yield claim[PREVIOUS_ID]
