"""The same results profile by profile, through the stream's engine: what the columns are held against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from schemas.event import MESSAGE_ID, Event
from transforms.segments.history.histories import CAUSES, NO_INSTANT, Evaluated, Histories, Integers, Ragged
from transforms.segments.nodes.state import EventTuple
from transforms.segments.program import Program
from transforms.segments.replay import ReplayResult, replay


def evaluate_stepwise(program: Program, histories: Histories, as_of: int) -> Evaluated:
    """`replay` of every profile, as columns."""
    results = [replay(program, profile_id, events, as_of) for profile_id, _, events in _profiles(histories)]
    rows = _rows_by_message(histories)
    stays = [(profile, stay) for profile, result in enumerate(results) for stay in result.memberships]
    places = {segment.name: place for place, segment in enumerate(program.definitions.segments)}
    return Evaluated(
        np.array([places[stay.segment] for _, stay in stays], np.int32),
        np.array([profile for profile, _ in stays], np.int64),
        np.array([stay.entered_at for _, stay in stays], np.int64),
        _instants(stay.exited_at for _, stay in stays),
        _instants(stay.expires_at for _, stay in stays),
        np.array([CAUSES.index(stay.enter_cause) for _, stay in stays], np.int8),
        np.array([-1 if stay.exit_cause is None else CAUSES.index(stay.exit_cause) for _, stay in stays], np.int8),
        _ragged([[rows[profile][name] for name in stay.message_ids] for profile, stay in stays]),
        _ragged([[rows[profile][name] for name in stay.exit_message_ids] for profile, stay in stays]),
        _computed(program, results),
        [result.traits for result in results],
        [result.writes for result in results],
    )


def events_of(histories: Histories, profile: int) -> list[EventTuple]:
    """One profile's events as tuples, in order; what no rule reads is left out."""
    first, end = histories.profile.searchsorted([profile, profile + 1]).tolist()
    return _tuples(histories, first, end)


def _profiles(histories: Histories) -> Iterator[tuple[str, int, list[EventTuple]]]:
    """Each profile: its id, the row of its first event, its events."""
    events = _tuples(histories, 0, len(histories.profile))
    bounds = histories.profile.searchsorted(np.arange(len(histories.profile_ids) + 1)).tolist()
    for profile_id, first, end in zip(histories.profile_ids, bounds, bounds[1:], strict=False):
        yield profile_id, first, events[first:end]


def _tuples(histories: Histories, first: int, end: int) -> list[EventTuple]:
    message_ids, types, names, *texts = (column.slice(first, end - first).to_pylist() for column in histories[3:])
    times = histories.timestamp[first:end].tolist()
    return [
        Event(message_id, at, kind, name or "", None, None, None, None, None, *text)
        for message_id, at, kind, name, *text in zip(message_ids, times, types, names, *texts, strict=True)
    ]


def _rows_by_message(histories: Histories) -> list[dict[str, int]]:
    return [
        {event[MESSAGE_ID]: first + place for place, event in enumerate(events)}
        for _, first, events in _profiles(histories)
    ]


def _instants(values: Iterable[int | None]) -> Integers:
    return np.array([NO_INSTANT if value is None else value for value in values], np.int64)


def _ragged(rows: Sequence[Sequence[int]]) -> Ragged:
    offsets = [0, *accumulate(len(found) for found in rows)]
    return Ragged(np.array(offsets, np.int64), np.array([row for found in rows for row in found], np.int64))


def _computed(program: Program, results: Sequence[ReplayResult]) -> dict[str, list[Any]]:
    return {name: [result.computed[name] for result in results] for name in program.computed}
