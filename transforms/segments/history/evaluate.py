"""Evaluates a bucket: on one line if its profiles fit on it, else in groups that do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from transforms.segments.compiler import compile_program
from transforms.segments.history.compile import HistoryProgram
from transforms.segments.history.computed import Traits, Writes, computed_values, final_traits
from transforms.segments.history.histories import Evaluated, Histories, Integers
from transforms.segments.history.scope import Scope, root_scope
from transforms.segments.history.stays import Columns
from transforms.segments.history.stepwise import events_of
from transforms.segments.history.timeline import LINE_END
from transforms.segments.history.united import StayColumns, of_segments, united
from transforms.segments.history.world import World
from transforms.segments.replay import ReplayResult, replay

_CENTURY_US = 36_525 * 86_400_000_000


class _Group(NamedTuple):
    """Profiles (codes, ascending) that are evaluated together, and how far the line goes beyond `as_of`.

    `again`: they were before, and dates in their data led beyond the line.
    """

    profiles: Integers
    ahead: int
    again: bool = False


def evaluate(program: HistoryProgram, histories: Histories, as_of: int) -> Evaluated:
    """What all profiles come to at `as_of`: the same as `replay` says of each."""
    bucket = _Bucket(program, histories, as_of)
    waiting = [_Group(np.arange(len(histories.profile_ids)), program.ahead(as_of))]
    while waiting:
        waiting += bucket.take(waiting.pop())
    return bucket.evaluated()


class _Bucket:
    """The results of a bucket, as they come in."""

    def __init__(self, program: HistoryProgram, histories: Histories, as_of: int) -> None:
        self.program, self.histories, self.as_of = program, histories, as_of
        self.count = len(histories.profile_ids)
        self._stays: list[StayColumns] = []
        self._traits: Traits = [{}] * self.count
        self._writes: Writes = [{}] * self.count
        self._computed: dict[str, list[Any]] = {name: [None] * self.count for name in program.computed}

    def take(self, group: _Group) -> list[_Group]:
        """Evaluates a group. Returns what is left to do: its parts, if it does not fit, or those with farther dates."""
        whole = len(group.profiles) == self.count
        rows = np.arange(len(self.histories.profile)) if whole else self._rows(group.profiles)
        own = self.histories if whole else self.histories.of(group.profiles, rows)
        parts = _parts(own, self.as_of, group.ahead)
        if parts > 1:
            return [group._replace(profiles=part) for part in np.array_split(group.profiles, parts)]
        world = World(own, self.as_of, group.ahead, self.program.reach, self.program.reads, self.program.traits)
        root = root_scope(world)
        segments = sorted(self.program.dated) if group.again else range(len(self.program.segments))
        stays = of_segments(_columns(self.program, segments, root))
        if not group.again:
            self._take_values(group, computed_values(self.program, root), final_traits(world))
        root.clear()
        farther = _farther(self.program, world, group)
        if farther:
            # Of the segments that dates lead to, what these profiles came to is not known yet.
            is_far = np.zeros(world.count, bool)
            is_far[list(world.far)] = True
            stays = stays.where(~(is_far[stays.profile] & np.isin(stays.segment, list(self.program.dated))))
        self._stays.append(stays if whole else stays.within(group.profiles, rows))
        return farther

    def _rows(self, profiles: Integers) -> Integers:
        """The events of profiles (codes, ascending)."""
        chosen = np.zeros(self.count, bool)
        chosen[profiles] = True
        return np.flatnonzero(chosen[self.histories.profile])

    def _take_values(self, group: _Group, computed: dict[str, list[Any]], final: tuple[Traits, Writes]) -> None:
        for place, profile in enumerate(group.profiles.tolist()):
            self._traits[profile], self._writes[profile] = final[0][place], final[1][place]
        for name, values in computed.items():
            for profile, value in zip(group.profiles.tolist(), values, strict=True):
                self._computed[name][profile] = value

    def evaluated(self) -> Evaluated:
        """All of it."""
        stays = self._stays[0] if len(self._stays) == 1 else united(self._stays)
        return Evaluated(*stays, self._computed, self._traits, self._writes)


def _parts(histories: Histories, as_of: int, ahead: int) -> int:
    """In how many parts the profiles fit on lines."""
    origin = int(histories.timestamp.min()) if len(histories.timestamp) else as_of
    most = max((LINE_END - 1) // (as_of - origin + ahead + 2), 1)
    return max(-(-len(histories.profile_ids) // most), 1)


def _farther(program: HistoryProgram, world: World, group: _Group) -> list[_Group]:
    """The profiles whose dates lie beyond the line, once more on longer ones: those of another century apart."""
    profiles = np.array(sorted(world.far) if program.dated else (), np.int64)
    needed = np.array([world.far[profile] for profile in profiles.tolist()], np.int64) - world.as_of
    groups = []
    for chosen in (needed < _CENTURY_US, needed >= _CENTURY_US):
        if chosen.any():
            ahead = int(needed[chosen].max()) + program.reach + 2
            groups.append(_Group(group.profiles[profiles[chosen]], ahead, again=True))
    return groups


def _columns(program: HistoryProgram, segments: Iterable[int], root: Scope) -> dict[int, Columns]:
    """The stays of segments, by their places."""
    columns = {}
    for place in segments:
        found = program.segments[place].columns(root)
        if found is not None:
            columns[place] = _decided(program, found, place, root.world)
        root.world.forget(program.done_after[place])
        root.forget(program.done_after[place])
    return columns


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
