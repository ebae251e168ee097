"""Evaluates a bucket: on one line if its profiles fit on it, else in groups that do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.segments.compiler import compile_program
from transforms.segments.history.compile import HistoryProgram
from transforms.segments.history.computed import computed_values, final_traits
from transforms.segments.history.histories import Evaluated, Flags, Histories, Integers, Ragged
from transforms.segments.history.scope import root_scope
from transforms.segments.history.stays import Columns
from transforms.segments.history.stepwise import events_of
from transforms.segments.history.timeline import LINE_END, NOTHING, ranges
from transforms.segments.history.world import World
from transforms.segments.replay import ReplayResult, replay

_CENTURY_US = 36_525 * 86_400_000_000


class _Group(NamedTuple):
    """Profiles (codes, ascending) that are evaluated together, and how far the line goes beyond `as_of`."""

    profiles: Integers
    ahead: int


class _Piece(NamedTuple):
    """What a group came to. `rows`: the rows of its events among those of the bucket; `valid`: the profiles' results
    that stand.
    """

    profiles: Integers
    rows: Integers
    found: Evaluated
    valid: Flags


def evaluate(program: HistoryProgram, histories: Histories, as_of: int) -> Evaluated:
    """What all profiles come to at `as_of`: the same as `replay` says of each."""
    count = len(histories.profile_ids)
    waiting = [_Group(np.arange(count), program.ahead(as_of))]
    pieces: list[_Piece] = []
    while waiting:
        group = waiting.pop()
        rows = np.flatnonzero(np.isin(histories.profile, group.profiles)) if len(group.profiles) < count else None
        own = histories if rows is None else histories.of(group.profiles, rows)
        parts = _parts(own, as_of, group.ahead)
        if parts > 1:
            waiting += [_Group(part, group.ahead) for part in np.array_split(group.profiles, parts)]
            continue
        world = World(own, as_of, group.ahead, program.reach, program.reads, program.traits)
        found = _evaluate(program, world)
        valid = np.ones(len(group.profiles), bool)
        if world.far:
            valid[list(world.far)] = False
            waiting += _farther(program, world, group)
        pieces.append(_Piece(group.profiles, np.arange(len(own.profile)) if rows is None else rows, found, valid))
    return pieces[0].found if len(pieces) == 1 else _united(pieces, count)


def _parts(histories: Histories, as_of: int, ahead: int) -> int:
    """In how many parts the profiles fit on lines."""
    origin = int(histories.timestamp.min()) if len(histories.timestamp) else as_of
    most = max((LINE_END - 1) // (as_of - origin + ahead + 2), 1)
    return -(-len(histories.profile_ids) // most)


def _farther(program: HistoryProgram, world: World, group: _Group) -> list[_Group]:
    """The profiles whose dates lie beyond the line, once more on longer ones: those of another century apart."""
    profiles = np.array(sorted(world.far), np.int64)
    needed = np.array([world.far[profile] for profile in profiles.tolist()], np.int64) - world.as_of
    groups = []
    for chosen in (needed < _CENTURY_US, needed >= _CENTURY_US):
        if chosen.any():
            ahead = int(needed[chosen].max()) + program.reach + 2
            groups.append(_Group(group.profiles[profiles[chosen]], ahead))
    return groups


def _evaluate(program: HistoryProgram, world: World) -> Evaluated:
    root, columns = root_scope(world), {}
    for place, stays in enumerate(program.segments):
        found = stays.columns(root)
        if found is not None:
            columns[place] = _decided(program, found, place, world)
        world.forget(program.done_after[place])
        root.forget(program.done_after[place])
    computed, (traits, writes) = computed_values(program, root), final_traits(world)
    root.clear()
    return Evaluated(*_in_order(columns), computed, traits, writes)


def _decided(program: HistoryProgram, columns: Columns, segment: int, world: World) -> Columns:
    """The columns, with what only many more rounds of the clock tell worked out by the stream's engine."""
    for row in np.flatnonzero(columns.undecided).tolist():
        result = _replayed(program, int(columns.profile[row]), world)
        name = program.definitions.segments[segment].name
        last = next(stay for stay in reversed(result.memberships) if stay.segment == name)
        if last.expires_at is not None:
            columns.expires_at[row] = last.expires_at
    return columns


def _replayed(program: HistoryProgram, profile: int, world: World) -> ReplayResult:
    def step_by_step() -> ReplayResult:
        rules, events = compile_program(program.definitions), events_of(world.histories, profile)
        return replay(rules, world.histories.profile_ids[profile], events, world.as_of)

    return world.keep(("replayed", profile), step_by_step)


StayColumns = tuple[
    npt.NDArray[np.int32],
    Integers,
    Integers,
    Integers,
    Integers,
    npt.NDArray[np.int8],
    npt.NDArray[np.int8],
    Ragged,
    Ragged,
]


def _in_order(of_segments: Mapping[int, Columns]) -> StayColumns:
    """The stays of all segments by profile, entry, segment."""
    columns = list(of_segments.values())
    segment = np.repeat(np.array(list(of_segments), np.int32), [len(one.profile) for one in columns])
    profile, entered_at, exited_at, expires_at, enter_cause, exit_cause = (
        np.concatenate([NOTHING[:0], *(one[number] for one in columns)]) for number in range(6)
    )
    order = np.lexsort((segment, entered_at, profile))
    return (
        segment[order],
        profile[order],
        entered_at[order],
        exited_at[order],
        expires_at[order],
        enter_cause[order].astype(np.int8),
        exit_cause[order].astype(np.int8),
        chosen(joined([one.enter_rows for one in columns]), order),
        chosen(joined([one.exit_rows for one in columns]), order),
    )


def _united(pieces: Sequence[_Piece], count: int) -> Evaluated:
    """What groups came to, as one."""
    columns: list[list[Any]] = []
    traits, writes = [dict[str, Any]()] * count, [dict[str, Any]()] * count
    computed: dict[str, list[Any]] = {name: [None] * count for name in pieces[0].found.computed}
    for piece in pieces:
        found, stands = piece.found, np.flatnonzero(piece.valid[piece.found.profile])
        kept = [
            found.segment[stands],
            piece.profiles[found.profile[stands]],
            *(column[stands] for column in found[2:7]),
            *(_renumbered(chosen(ragged, stands), piece.rows) for ragged in (found.enter_rows, found.exit_rows)),
        ]
        columns.append(kept)
        for place in np.flatnonzero(piece.valid).tolist():
            profile = int(piece.profiles[place])
            traits[profile], writes[profile] = found.traits[place], found.writes[place]
            for name, values in found.computed.items():
                computed[name][profile] = values[place]
    flat: list[Any] = [np.concatenate([column[number] for column in columns]) for number in range(7)]
    order = np.lexsort((flat[0], flat[2], flat[1]))
    flat = [column[order] for column in flat]
    flat += [chosen(joined([column[number] for column in columns]), order) for number in (7, 8)]
    return Evaluated(*flat[:9], computed, traits, writes)  # type: ignore[call-arg]


def _renumbered(ragged: Ragged, rows: Integers) -> Ragged:
    return Ragged(ragged.offsets, rows[ragged.numbers])


def joined(parts: Sequence[Ragged]) -> Ragged:
    """Parts one after the other."""
    counts = np.concatenate([NOTHING, *(np.diff(part.offsets) for part in parts)])
    numbers = np.concatenate([NOTHING, *(part.numbers for part in parts)])
    return Ragged(np.concatenate((np.zeros(1, np.int64), counts.cumsum())), numbers)


def chosen(ragged: Ragged, places: Integers) -> Ragged:
    """Some rows, in the order given."""
    _, at = ranges(ragged.offsets[places], ragged.offsets[places + 1])
    counts = ragged.offsets[places + 1] - ragged.offsets[places]
    return Ragged(np.concatenate((np.zeros(1, np.int64), counts.cumsum())), ragged.numbers[at])
