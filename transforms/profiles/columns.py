"""Events with their owners as histories of all profiles of a bucket, on columns. Pure.

What `gather.py` decides event by event is decided here for all at once; only events that a deletion may concern are
looked at one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from transforms.columns.blocks import is_one_of, rows_where, unpack
from transforms.columns.events import OWNED_EVENTS, OWNER
from transforms.columns.order import in_order
from transforms.columns.pieces import one_piece
from transforms.columns.selection import Selection
from transforms.deduplicate.columns import standing
from transforms.identity.plan import IdentityPlan
from transforms.segments.history import Histories


def take_known(told: Mapping[str, Iterable[bytes]], suspects: Iterable[bytes]) -> Selection:
    """The events of a bucket of users: `known` as they were parsed, `exact` and `resolved` with their owner."""
    owned = (events.append_column(OWNER, events.column("user_id")) for events in map(unpack, told["known"]))
    return standing(owned, map(unpack, (*told["exact"], *told["resolved"])), suspects, OWNED_EVENTS)


class GatheredColumns(NamedTuple):
    """What the events of a bucket come to.

    Attributes:
        events: those that stay, with their owner.
        merged: those of users that aliases have made one profile; their owner is the root, in whose bucket they are
            gathered again.
        erased: how many events each deletion (its message id) erased.
    """

    events: Selection
    merged: Selection
    erased: Counter[str]


def gather_columns(events: Selection, plan: IdentityPlan, *, regrouped: bool = False) -> GatheredColumns:
    """Takes out what is erased or refused, and sets apart what is its root's (arguments as of `gather`)."""
    erased, events = _without_erased(events, plan)
    if plan.refused:
        events = events.where(~is_one_of(events.column("message_id"), plan.refused))
    if regrouped or not plan.roots:
        return GatheredColumns(events, Selection(events.table.slice(0, 0)), erased)
    shared = is_one_of(events.column("owner"), {*plan.roots, *plan.roots.values()})
    merged = events.where(shared).copied()
    roots = [plan.root(user) for user in merged.column("owner").to_pylist()]
    place = merged.schema.get_field_index("owner")
    merged = merged.set_column(place, merged.schema.field(place), pa.array(roots, pa.large_string()))
    return GatheredColumns(events.where(~shared), Selection(merged), erased)


def _without_erased(events: Selection, plan: IdentityPlan) -> tuple[Counter[str], Selection]:
    erased: Counter[str] = Counter()
    if not plan.erased:
        return erased, events
    keep = np.ones(events.num_rows, bool)
    concerned = np.flatnonzero(is_one_of(events.column("user_id"), plan.erased))
    rows = events.take(concerned).select(["user_id", "timestamp"]).to_pydict()
    for place, user_id, timestamp in zip(concerned.tolist(), rows["user_id"], rows["timestamp"], strict=True):
        deletion = plan.erased_by(user_id, timestamp)
        if deletion is not None:
            erased[deletion] += 1
            keep[place] = False
    return erased, events.where(keep)


class OrderedEvents(NamedTuple):
    """Events in order of (profile, timestamp, message id). `profile` of each: its place in `profile_ids`, sorted."""

    events: pa.Table
    profile: np.ndarray
    profile_ids: list[str]

    def rows_of(self, profile: int) -> tuple[int, int]:
        """Where the events of one profile, by its place, start and end."""
        first, end = self.profile.searchsorted([profile, profile + 1]).tolist()
        return first, end

    def of(self, profile: int) -> pa.Table:
        """One profile's events."""
        first, end = self.rows_of(profile)
        return self.events.slice(first, end - first)


def ordered(events: Selection, kind: str) -> OrderedEvents:
    """Events with their owners, in order.

    Args:
        events: if nobody else holds them, the memory of each column is free before the next is copied.
        kind: what profile ids begin with, "user:" or "anon:".
    """
    owners = events.column("owner").dictionary_encode()
    distinct = owners.dictionary.to_pylist()
    by_name = sorted(range(len(distinct)), key=distinct.__getitem__)
    rank = np.empty(len(distinct), np.int64)
    rank[by_name] = np.arange(len(distinct))
    profile = rank[owners.indices.to_numpy()]
    order = in_order(profile, events.numbers("timestamp"), events.column("message_id"))
    table, rows = events.take(order)
    columns = dict(zip(table.column_names, table.columns, strict=True))
    del events, table
    copied = {name: columns.pop(name).take(pa.array(rows)) for name in list(columns)}
    return OrderedEvents(pa.table(copied), profile[order], [kind + distinct[place] for place in by_name])


def until(found: OrderedEvents, as_of: int) -> OrderedEvents:
    """The events up to an instant, of the profiles that exist then."""
    happened = found.events.column("timestamp").to_numpy() <= as_of
    if happened.all():
        return found
    existing, profile = np.unique(found.profile[happened], return_inverse=True)
    profile_ids = [found.profile_ids[place] for place in existing.tolist()]
    return OrderedEvents(rows_where(found.events, happened).combine_chunks(), profile, profile_ids)


def histories(found: OrderedEvents) -> Histories:
    """What the evaluator takes of the events."""
    events, profile, profile_ids = found
    text = pa.large_binary()
    return Histories(
        profile_ids,
        profile,
        events.column("timestamp").to_numpy(),
        _whole(events, "message_id"),
        _coded(events, "type"),
        _coded(events, "name"),
        _whole(events, "properties").view(text),
        _whole(events, "traits").view(text),
        _whole(events, "context").view(text),
    )


def _whole(events: pa.Table, name: str) -> pa.Array:
    return one_piece(events.column(name))


def _coded(events: pa.Table, name: str) -> pa.DictionaryArray:
    return _whole(events, name).cast(pa.string()).dictionary_encode()
