"""The tables of all profiles of a bucket, from what their histories came to: `rows.py`, column by column. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.block import TableBlock
from schemas.tables import EVENTS, MEMBERSHIP_CHANGES, MEMBERSHIPS, PROFILES
from transforms.columns.pieces import one_piece
from transforms.columns.table_blocks import columns_block, lists_of, ordered_blocks
from transforms.profiles.columns import OrderedEvents
from transforms.profiles.normalize.device import device_type_of
from transforms.profiles.normalize.traits import normalize_traits
from transforms.profiles.rows import TYPED_COLUMNS, change_id, json_object, user_id_of
from transforms.segments.history import CAUSES, NO_INSTANT, Evaluated, Histories, Ragged, StayColumns
from transforms.segments.language import ast

Segments = Sequence[ast.SegmentDefinition]
"""Of people, in the order of `Evaluated.segment`."""
_EVENT_COLUMNS = (
    *("user_id", "anonymous_id", "type", "name", "timestamp", "received_at"),
    *("properties", "traits", "context", "previous_id", "group_id"),
)


def event_blocks(found: OrderedEvents, order: int) -> Iterator[TableBlock]:
    """Rows of `events`, at the places of `order`."""
    events = found.events
    names = one_piece(events.column("name"))
    columns = [
        events.column("message_id"),
        pa.array(found.profile_ids, pa.string()).take(pa.array(found.profile)),
        *(
            pc.if_else(pc.equal(names, ""), None, names) if name == "name" else events.column(name)
            for name in _EVENT_COLUMNS
        ),
    ]
    yield from ordered_blocks(EVENTS, pa.table(columns, names=list(EVENTS.column_names())), order)


def profile_block(
    histories: Histories, events: pa.Table, found: Evaluated, segments: Segments, as_of: int
) -> tuple[TableBlock, Counter[str]]:
    """Rows of `profiles`; and of how many profiles a column's traits could not be normalised."""
    count = len(histories.profile_ids)
    starts, ends = _stretches(histories.profile, count)
    typed, not_normalised = _typed(histories, found, starts)
    timestamps = histories.timestamp
    as_json: dict[int, bytes] = {}
    columns: tuple[Any, ...] = (
        histories.profile_ids,
        [user_id_of(profile_id) for profile_id in histories.profile_ids],
        _devices(histories.profile, events, count),
        *typed,
        [as_json.get(id(traits)) or as_json.setdefault(id(traits), json_object(traits)) for traits in found.traits],
        _computed(found.computed, count),
        _members(found, segments, count),
        pa.array(timestamps[starts]).cast(pa.timestamp("us", "UTC")),
        pa.array(timestamps[ends - 1]).cast(pa.timestamp("us", "UTC")),
        pa.array(ends - starts),
        [None] * count,
        [1] * count,
        [as_of] * count,
    )
    return TableBlock(PROFILES.name, 0, columns), not_normalised


def _stretches(profile: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each profile's events start and end."""
    ends = np.cumsum(np.bincount(profile, minlength=count))
    return np.concatenate((np.zeros(1, np.int64), ends[:-1])), ends


def _devices(profile: np.ndarray, events: pa.Table, count: int) -> pa.Array:
    """The distinct devices of each profile, sorted."""
    coded = one_piece(events.column("anonymous_id")).dictionary_encode()
    names = coded.dictionary
    order = pc.sort_indices(names).to_numpy()
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    some = coded.is_valid().to_numpy(zero_copy_only=False)
    pairs = np.unique(
        profile[some] * max(len(names), 1) + rank[coded.indices.to_numpy(zero_copy_only=False)[some].astype(np.int64)]
    )
    owner, device = np.divmod(pairs, max(len(names), 1))
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(np.bincount(owner, minlength=count))))
    return lists_of(names.take(pa.array(order[device])), offsets)


def _typed(histories: Histories, found: Evaluated, starts: np.ndarray) -> tuple[list[list[Any]], Counter[str]]:
    not_normalised: Counter[str] = Counter()
    device_types = _device_types(histories)
    columns: list[list[Any]] = [[] for _ in TYPED_COLUMNS]
    for profile, writes in enumerate(found.writes):
        typed, failed = normalize_traits(writes, device_types.get(profile))
        not_normalised.update(failed)
        for column, name in zip(columns, TYPED_COLUMNS, strict=True):
            column.append(typed[name])
    return columns, not_normalised


def _device_types(histories: Histories) -> dict[int, str]:
    """`context.device.type` of the latest event of each profile that names one."""
    places = np.flatnonzero(naming_devices(histories.context))[::-1]
    found: dict[int, str] = {}
    for place, profile in zip(places.tolist(), histories.profile[places].tolist(), strict=True):
        if profile not in found:
            kind = device_type_of(histories.context[place].as_py())
            if kind is not None:
                found[profile] = kind
    return found


def naming_devices(contexts: pa.Array) -> np.ndarray:
    """Which contexts may name a device."""
    found: np.ndarray = pc.match_substring(contexts, '"device"').fill_null(False).to_numpy(zero_copy_only=False)
    return found


def _computed(computed: dict[str, list[Any]], count: int) -> list[bytes]:
    if not computed:
        return [b"{}"] * count
    names = sorted(computed)
    return [
        json_object(dict(zip(names, values, strict=True))) for values in zip(*(computed[n] for n in names), strict=True)
    ]


def _members(found: Evaluated, segments: Segments, count: int) -> list[list[str]]:
    """The names of the segments that each profile is in, sorted."""
    members: list[list[str]] = [[] for _ in range(count)]
    lasting = np.flatnonzero(found.exited_at == NO_INSTANT)
    for profile, segment in zip(found.profile[lasting].tolist(), found.segment[lasting].tolist(), strict=True):
        members[profile].append(segments[segment].name)
    for names in members:
        names.sort()
    return members


def membership_blocks(histories: Histories, found: Evaluated, segments: Segments, as_of: int) -> Iterator[TableBlock]:
    """Rows of `memberships` and of `membership_changes`."""
    if len(found.segment):
        columns = membership_columns(histories, found, segments, as_of)
        yield columns_block(MEMBERSHIPS, columns)
        yield _change_block(columns, found)


def membership_columns(
    histories: Histories, stays: Evaluated | StayColumns, segments: Segments, as_of: int
) -> list[pa.Array]:
    """The columns of `memberships`; instants in microseconds."""
    by_segment = pa.array(stays.segment)
    return [
        pa.array(histories.profile_ids, pa.string()).take(pa.array(stays.profile)),
        pa.array([segment.name for segment in segments], pa.string()).take(by_segment),
        pa.array(stays.entered_at),
        _instants(stays.exited_at),
        _instants(stays.expires_at),
        pa.array([segment.version for segment in segments], pa.string()).take(by_segment),
        _ids(histories, stays.enter_rows),
        _ids(histories, stays.exit_rows),
        pa.repeat(pa.scalar(as_of, pa.int64()), len(stays.segment)),
    ]


def _ids(histories: Histories, rows: Ragged) -> pa.Array:
    return lists_of(histories.message_id.take(pa.array(rows.numbers)), rows.offsets)


def _instants(at: np.ndarray) -> pa.Array:
    return pa.array(at, mask=at == NO_INSTANT)


def _change_block(columns: list[pa.Array], found: Evaluated) -> TableBlock:
    """What each stay adds to the log: an entry and, if it has ended, an exit."""
    profiles, segments, _, _, _, versions, entered, exited, recorded = columns
    ended = np.flatnonzero(found.exited_at != NO_INSTANT)
    of_exits = pa.array(ended)
    count = len(found.segment)
    at = np.concatenate((found.entered_at, found.exited_at[ended]))
    causes = np.concatenate((found.enter_cause, found.exit_cause[ended]))
    said = [pa.concat_arrays([array, array.take(of_exits)]) for array in (profiles, segments, versions, recorded)]
    words = pa.array(["entered"] * count + ["exited"] * len(ended), pa.string())
    ids = [
        change_id(*change)
        for change in zip(
            said[0].to_pylist(), said[1].to_pylist(), said[2].to_pylist(), words.to_pylist(), at.tolist(), strict=True
        )
    ]
    log = [
        pa.array(ids, pa.string()),
        *said[:3],
        words,
        pa.array(at),
        pa.array(CAUSES, pa.string()).take(pa.array(causes)),
        pa.concat_arrays([entered, exited.take(of_exits)]),
        said[3],
    ]
    return columns_block(MEMBERSHIP_CHANGES, log)
