"""Whose the anonymous events of all devices of a bucket are, decided at once on sorted columns. Pure.

`devices.py` says what is true; here it is worked out for the devices of which nothing is told but plain links of users
that no deletion concerns: nearly all. The others go to `devices.resolve_devices`, record by record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from schemas.event import ANONYMOUS_ID
from transforms.columns.blocks import is_one_of, rows_where
from transforms.columns.events import EVENTS, TEXT, records_of
from transforms.columns.order import in_order
from transforms.columns.pieces import joined, one_piece
from transforms.columns.selection import Selection
from transforms.identity.devices import ResolvedDevices, links_of_erased, resolve_devices
from transforms.identity.links import Link
from transforms.identity.plan import IdentityPlan
from transforms.profiles.rows import Row, merged_profile
from transforms.records import Record

DECIDING: Final = pa.schema([EVENTS.field(name) for name in ("message_id", "timestamp", "anonymous_id")])
"""The columns of events by which it is decided whether they stand and whose they are."""


class ResolvedColumns(NamedTuple):
    """What the devices of a bucket come to.

    Attributes:
        known: events that turned out to be a user's.
        owners: of each of them, the user.
        anonymous: those that are nobody's: their device's.
        links: columns of identity_links: device, user, timestamp, message id.
        exceptional: the same, and what was erased, of the devices that were resolved record by record.
        absorbed: rows of the anonymous profiles of which nothing is left.
        of_erased: all links of the devices that were ever linked to somebody who is erased.
    """

    known: Selection
    owners: pa.Array
    anonymous: Selection
    links: pa.Table
    exceptional: ResolvedDevices
    absorbed: list[Row]
    of_erased: dict[str, list[Link]]


def resolve_columns(
    events: Selection,
    links: pa.Table,
    plan: IdentityPlan,
    copied: Callable[[Selection], pa.Table] = Selection.copied,
) -> ResolvedColumns:
    """Resolves the devices of a bucket.

    Args:
        events: that name no user; the columns DECIDING of EVENTS.
        links: LINKS.
        plan: what aliases and deletions come to.
        copied: makes of some of the events a table of EVENTS, where `events` has less.
    """
    links = rows_where(links, links.column("timestamp").to_numpy() <= plan.as_of)
    exceptional = _exceptional_devices(links, plan)
    found, of_erased = ResolvedDevices([], [], [], [], Counter()), {}
    if exceptional:
        of_events = is_one_of(events.column("anonymous_id"), exceptional)
        of_links = is_one_of(links.column("device"), exceptional)
        told = _told(copied(events.where(of_events)), rows_where(links, of_links))
        found, of_erased = resolve_devices(told, plan), links_of_erased(told, plan)
        events, links = events.where(~of_events), rows_where(links, ~of_links)
    known, owners, anonymous, kept, absorbed = _resolve(events, links, plan)
    return ResolvedColumns(known, owners, anonymous, kept, found, absorbed, of_erased)


def _exceptional_devices(links: pa.Table, plan: IdentityPlan) -> set[str]:
    """Devices with a link of an alias, or of a user that a deletion concerns."""
    mask = links.column("is_alias").to_numpy()
    aliases = {message_id for message_id, _ in plan.standing}
    if aliases:
        mask = mask | is_one_of(links.column("message_id"), aliases)
    if plan.erased:
        mask = mask | is_one_of(links.column("user_id"), plan.erased)
    return set(links.column("device").filter(pa.array(mask)).to_pylist())


def _told(events: pa.Table, links: pa.Table) -> list[Record]:
    """As `routes.Routed.devices`."""
    told: list[Record] = [(event[ANONYMOUS_ID], event, None) for event in records_of(events)]
    columns = [links.column(name).to_pylist() for name in ("device", "timestamp", "message_id", "user_id", "is_alias")]
    told += [(device, None, tuple(link)) for device, *link in zip(*columns, strict=True)]
    return told


def _resolve(
    events: Selection, links: pa.Table, plan: IdentityPlan
) -> tuple[Selection, pa.Array, Selection, pa.Table, list[Row]]:
    own = events.column("anonymous_id")
    devices, of_link, of_event = _codes(links.column("device"), pa.chunked_array([own]))
    at = links.column("timestamp").to_numpy()
    order = in_order(of_link, at, one_piece(links.column("message_id")))
    links, of_link, at = links.take(pa.array(order)), of_link[order], at[order]
    times = events.numbers("timestamp")
    place, stitched = _owning_link(of_link, at, of_event, times, plan.stitch_window_us)
    owned = place >= 0
    owners = one_piece(links.column("user_id")).take(pa.array(place[owned]))
    happened = times <= plan.as_of
    absorbed = _absorbed(devices, of_event, stitched & happened, ~owned & happened)
    rows = []
    for code, event in absorbed:
        user = links.column("user_id")[int(place[event])].as_py()
        rows.append(merged_profile(f"anon:{devices[code].as_py()}", f"user:{plan.root(user)}", plan.as_of))
    return events.where(owned), owners, events.where(~owned), _distinct(links, of_link, at), rows


def _codes(*columns: pa.ChunkedArray) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    """The values that some columns have together, and for each column the place of each value among them."""
    every = joined([chunk for column in columns for chunk in column.chunks], TEXT)
    coded = every.dictionary_encode()
    codes = coded.indices.to_numpy().astype(np.int64)
    middle = len(columns[0])
    return coded.dictionary, codes[:middle], codes[middle:]


def _owning_link(
    of_link: np.ndarray, at: np.ndarray, of_event: np.ndarray, times: np.ndarray, window: int
) -> tuple[np.ndarray, np.ndarray]:
    """For each event the place of the link whose user owns it, or -1; and whether it came before that link.

    Links are in order of (device, timestamp). All of a device's links and events in one order: the last link up to an
    event is the latest at or before it.
    """
    count = len(of_link)
    is_event = np.concatenate((np.zeros(count, bool), np.ones(len(of_event), bool)))
    order = np.lexsort((is_event, np.concatenate((at, times)), np.concatenate((of_link, of_event))))
    links_so_far = np.cumsum(~is_event[order])
    place = np.empty(len(of_event), np.int64)
    ordered_events = is_event[order]
    place[order[ordered_events] - count] = links_so_far[ordered_events] - 1
    if not count:
        return np.full(len(of_event), -1), np.zeros(len(of_event), bool)
    before = (place >= 0) & (of_link[np.maximum(place, 0)] == of_event)
    following = np.minimum(place + 1, count - 1)
    first = ~before & (place + 1 < count) & (of_link[following] == of_event) & (at[following] - times <= window)
    return np.where(before, place, np.where(first, following, -1)), first


def _absorbed(devices: pa.Array, of_event: np.ndarray, stitched: np.ndarray, own: np.ndarray) -> list[tuple[int, int]]:
    """(device, one of its stitched events) of devices that have such, and no event of their own."""
    has_own = np.zeros(len(devices), bool)
    has_own[of_event[own]] = True
    codes, first = np.unique(of_event[stitched], return_index=True)
    events = np.flatnonzero(stitched)[first]
    return [(int(code), int(event)) for code, event in zip(codes, events, strict=True) if not has_own[code]]


def _distinct(links: pa.Table, of_link: np.ndarray, at: np.ndarray) -> pa.Table:
    """One link per device, user and instant: of those alike the one with the smallest message id, which comes first."""
    users = one_piece(links.column("user_id")).dictionary_encode().indices.to_numpy()
    order = np.lexsort((users, at, of_link))
    new = np.ones(len(order), bool)
    same = (np.diff(of_link[order]) == 0) & (np.diff(at[order]) == 0) & (np.diff(users[order]) == 0)
    new[1:] = ~same
    kept = links.take(pa.array(np.sort(order[new])))
    return kept.select(["device", "user_id", "timestamp", "message_id"])
