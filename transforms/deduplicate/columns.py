"""What copies come to, on columns: all that may be repeated is compared, everything else is left where it is. Pure.

Nearly every message id occurs once. Those that may be repeated, the *suspects*, are told from numbers of 8 bytes
(columns/message_ids.py); their copies are taken out as records and compared (copies.py), and what stands of them
follows the others as *exact* blocks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from schemas.event import MESSAGE_ID, Event, Failure
from transforms.columns.blocks import Keyed, concatenated, is_one_of, packed_by, rows_where, unpack
from transforms.columns.events import LINKS, columns_of, owned_events
from transforms.columns.message_ids import are_among, numbers_of, united
from transforms.columns.selection import Selection
from transforms.deduplicate.copies import record_of
from transforms.identity.routes import Routed
from transforms.parse.blocks import Origin, Originals
from transforms.parse.collect import messages_at
from transforms.parse.events import EventParser
from transforms.records import Record


def standing(
    parsed: Iterable[pa.Table], exact: Iterable[pa.Table], suspects: Iterable[bytes], schema: pa.Schema
) -> Selection:
    """The events, or links, of some blocks: as they were parsed all but those of suspect ids, and all exact ones."""
    compared = 0

    def counted() -> Iterator[pa.Table]:
        nonlocal compared
        for block in parsed:
            compared += block.num_rows
            yield block

    every = concatenated(chain(counted(), exact), schema)
    stands = np.ones(every.num_rows, bool)
    numbers = numbers_of(every.column("message_id").slice(0, compared))
    stands[:compared] = ~are_among(numbers, united(suspects))
    return Selection(every).where(stands)


class Extracted(NamedTuple):
    """What the messages of a block come to.

    Attributes:
        copies: records of suspect ids.
        latest: the latest timestamp of the others; None where there is none.
        users: previous ids of aliases that are users in the others, with when they were last seen.
    """

    copies: list[Record]
    latest: int | None
    users: dict[str, int]


def extract_copies(
    originals: Originals,
    suspects: Iterable[bytes],
    previous_ids: Collection[str],
    parser: EventParser,
    as_of: int | None,
) -> Extracted:
    """Takes out what may have copies.

    Args:
        originals: of some events.
        suspects: packed numbers of the ids that may be repeated.
        previous_ids: of all aliases.
        parser: what parsed the messages: those with copies are parsed once more.
        as_of: after it, where it is given, nothing has happened yet.
    """
    block = unpack(originals.packed)
    among = are_among(block.column("number").to_numpy(), united(suspects))
    copies = list(_records(block.filter(pa.array(among)), originals.origin, parser))
    others = rows_where(block, ~among)
    timestamps = others.column("timestamp").to_numpy()
    latest = int(timestamps.max()) if len(timestamps) else None
    return Extracted(copies, latest, _last_seen(others, timestamps, frozenset(previous_ids), as_of))


class ChangedInputError(Exception):
    """An input does not hold what it held when the job began."""


def _records(rows: pa.Table, origin: Origin | None, parser: EventParser) -> Iterator[Record]:
    """What the rows of originals were read from, parsed once more."""
    if origin is None:
        for row in rows.to_pylist():
            attributes = orjson.loads(row["attributes"]) if row["attributes"] else {}
            yield _again(parser, row["raw"], row["source"], attributes)
    elif rows.num_rows:
        rows = rows.sort_by("place")
        places = rows.column("place").to_numpy()
        with closing(origin.groups()) as groups:
            found = [_again(parser, raw, origin.source, {}) for raw in messages_at(places, groups)]
        ids = pa.array([record[MESSAGE_ID] for record in found], pa.large_string())
        if not np.array_equal(numbers_of(ids), rows.column("number").to_numpy()):
            raise ChangedInputError(f"{origin.source} has changed while it was read")
        yield from found


def _again(parser: EventParser, raw: bytes | Failure | None, source: str, attributes: dict[str, Any]) -> Record:
    event = parser.parse(raw, source, attributes) if isinstance(raw, bytes) else None
    if not isinstance(raw, bytes) or not isinstance(event, Event):
        raise ChangedInputError(f"{source} has changed while it was read")
    return record_of(event, raw, source, attributes)


def _last_seen(events: pa.Table, timestamps: np.ndarray, wanted: Collection[str], as_of: int | None) -> dict[str, int]:
    if not wanted:
        return {}
    latest: dict[str, int] = {}
    rows = np.flatnonzero(is_one_of(events.column("user_id"), wanted))
    users = events.column("user_id").take(pa.array(rows)).to_pylist()
    for user_id, timestamp in zip(users, timestamps[rows].tolist(), strict=True):
        if as_of is None or timestamp <= as_of:
            latest[user_id] = max(timestamp, latest.get(user_id, timestamp))
    return latest


def exact_blocks(told: Routed, buckets: int) -> Iterator[tuple[str, Keyed]]:
    """(what it is, block keyed by where it goes) of the events, and links, that stand of those compared."""
    for name, columns, key in (
        ("exact_known", owned_events(told.known), "owner"),
        ("exact_devices", columns_of([event for _, event, _ in told.devices if event is not None]), "anonymous_id"),
        ("exact_links", _links(told.devices), "device"),
    ):
        for keyed in packed_by(Selection(pa.Table.from_batches([columns])), key, buckets):
            yield name, keyed


def _links(devices: Iterable[Record]) -> pa.RecordBatch:
    return columns_of([(device, *link) for device, _, link in devices if link is not None], LINKS)
