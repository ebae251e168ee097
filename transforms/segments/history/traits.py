"""Scalars of the profile itself: traits, typed columns, its bucket, its segments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from transforms.profiles.normalize.columns import DEVICE_TYPE
from transforms.profiles.normalize.traits import column_written, columns_of_trait, normalize_column
from transforms.segments.history.histories import Integers
from transforms.segments.history.scope import NOBODY, UNKNOWN, Found, Scope
from transforms.segments.history.stays import Stays
from transforms.segments.history.steps import Codes, Steps, latest
from transforms.segments.history.streams import concatenated
from transforms.segments.history.timeline import distinct, ranges
from transforms.segments.history.world import World
from transforms.segments.language.columns import COLUMNS
from transforms.segments.language.kinds import Type
from transforms.segments.nodes.state import TraitWrite
from transforms.segments.program import percent_bucket
from transforms.segments.values import as_instant, is_many, trait_fields, trait_value

Said = tuple[int, Any, int, int]
"""From an event's row on: the value, and the rows of the one or two events that it comes from (-1: none)."""


def _steps(scope: Scope, said: Iterator[Said], default: Any) -> Steps:
    """What was said, in order of rows, as steps; the last of an instant stands."""
    rows, codes, first, second = [], [], [], []
    known = Codes()
    for row, value, one, other in said:
        rows.append(row)
        codes.append(known.code(value))
        first.append(one)
        second.append(other)
    at = scope.world.on_line[np.array(rows, np.int64)]
    stands = latest(at)
    code, found, also = (np.array(column, np.int64)[stands] for column in (codes, first, second))
    return Steps(at[stands], code, known.values, default, rows=found, also=also if (also >= 0).any() else None)


def explained_by_rows(scope: Scope, steps: Steps, points: Integers) -> Found:
    """The events that a scalar's value at each point comes from."""
    place, known = steps.value_at(points, scope.span)
    found = []
    for rows in (steps.rows, steps.also):
        if rows is not None and len(rows):
            here = np.flatnonzero(known & (rows[place] >= 0))
            found.append((here, rows[place[here]]))
    return concatenated(found)


@dataclass(eq=False)
class TraitScalar:
    """`trait('path')`: the last write stands until the next."""

    path: str
    later: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.fields = trait_fields(self.path)
        self.default: Any = [] if is_many(self.path) else None

    def steps(self, scope: Scope) -> Steps:
        said = self._plain(scope.world) if len(self.fields) == 1 else self._inside(scope.world)
        return _steps(scope, said, self.default)

    def _plain(self, world: World) -> Iterator[Said]:
        places, values = world.trait_writes[self.fields[0]]
        rows = world.identifies[0][places].tolist()
        for row, value in zip(rows, values, strict=True):
            yield row, value, row, -1

    def _inside(self, world: World) -> Iterator[Said]:
        """Of a path with a dot, which may be a field of that name or a place inside another field's object."""
        rows, traits = world.identifies
        profiles = world.histories.profile
        places = distinct(np.concatenate([world.trait_writes[name][0] for name in self.fields]))
        owner, values, written = -1, dict[str, Any](), dict[str, int]()
        for place in places.tolist():
            row = int(rows[place])
            if profiles[row] != owner:
                owner, values, written = int(profiles[row]), {}, {}
            for name in self.fields:
                if name in traits[place]:
                    values[name], written[name] = traits[place][name], row
            present = {name: value for name, value in values.items() if value is not None}
            value = trait_value(present, self.path)
            decides = next(([written[name]] for name in self.fields if name in present), list(written.values()))
            yield row, self.default if value is None else value, decides[0], decides[1] if len(decides) > 1 else -1

    def explain(self, scope: Scope, points: Integers) -> Found:
        return explained_by_rows(scope, scope.steps(self), points)


@dataclass(eq=False)
class ColumnScalar:
    """`profile('NAME')`: a typed column; instants in microseconds."""

    name: str
    later: bool = field(default=False, init=False)
    default: Any = field(default=None, init=False)

    def steps(self, scope: Scope) -> Steps:
        return _steps(scope, self._said(scope.world), None)

    def _said(self, world: World) -> Iterator[Said]:
        """Goes through the events that may change the column or what it comes from, profile by profile."""
        rows, profiles, times = world.identifies[0], world.histories.profile, world.histories.timestamp
        traits = world.identifies[1]
        places = world.column_writes(self.name)
        written_at = dict(zip(rows[places].tolist(), places.tolist(), strict=True))
        named_at: dict[int, str] = {}
        if self.name == DEVICE_TYPE:
            named_at = dict(zip(world.devices[0].tolist(), world.devices[1], strict=True))
        owner, column = -1, _Column(self.name)
        for row in sorted(written_at.keys() | named_at.keys()):
            if profiles[row] != owner:
                owner, column = int(profiles[row]), _Column(self.name)
            if row in written_at:
                column.write(traits[written_at[row]], int(times[row]), row)
            if row in named_at:
                column.name_device(named_at[row], int(times[row]), row)
            yield row, column.value(), column.decided_by(), -1

    def explain(self, scope: Scope, points: Integers) -> Found:
        return explained_by_rows(scope, scope.steps(self), points)


class _Column:
    """What one profile's events have said of a column so far; rows stand in for message ids, in the same order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_date = COLUMNS[name] is Type.INSTANT
        self.writes: dict[str, TraitWrite] = {}
        self.device: TraitWrite | None = None
        self._value: Any = None
        self._is_known = False

    def write(self, traits: dict[str, Any], timestamp: int, row: int) -> None:
        for name, value in traits.items():
            if self.name in columns_of_trait(name):
                self.writes[name] = TraitWrite(value, timestamp, _row_text(row))
        self._is_known = False

    def name_device(self, kind: str, timestamp: int, row: int) -> None:
        self._is_known = self._is_known and self.device is not None and self.device.value == kind
        self.device = TraitWrite(kind, timestamp, _row_text(row))

    def value(self) -> Any:
        if not self._is_known:
            value = normalize_column(self.name, self.writes, None if self.device is None else self.device.value)
            if self.is_date and type(value) is str:
                value = as_instant(value)
            self._value, self._is_known = None if value == [] else value, True
        return self._value

    def decided_by(self) -> int:
        written = column_written(self.name, self.writes, self.device)
        return -1 if written is None else int(written[1])


def _row_text(row: int) -> str:
    return f"{row:015}"


@dataclass(eq=False)
class PercentScalar:
    """`percent('salt')`: fixed for a profile from its first event on."""

    salt: str
    later: bool = field(default=False, init=False)
    default: Any = field(default=UNKNOWN, init=False)

    def steps(self, scope: Scope) -> Steps:
        ids = scope.world.histories.profile_ids
        bucket = np.fromiter((percent_bucket(self.salt, profile_id) for profile_id in ids), np.int64, len(ids))
        return Steps(scope.whole.start, bucket, range(100), None, numbers=np.arange(100.0))

    def explain(self, scope: Scope, points: Integers) -> Found:
        return NOBODY


@dataclass(eq=False)
class MembershipScalar:
    """`trait('segments.NAME')`: whether the profile is in the segment; `stays` works out when."""

    stays: Stays
    later: bool = field(default=False, init=False)
    default: Any = field(default=UNKNOWN, init=False)

    def steps(self, scope: Scope) -> Steps:
        truth = self.stays.of(scope).truth
        at = np.concatenate((truth.start, truth.end))
        order = np.argsort(at, kind="stable")
        code = np.repeat(np.array([1, 0]), len(truth))[order]
        return Steps(at[order], code, [False, True], False)

    def explain(self, scope: Scope, points: Integers) -> Found:
        """The events that made the stay true."""
        told = self.stays.of(scope)
        place = told.truth.start.searchsorted(points, "right") - 1
        if not len(told.truth):
            return NOBODY
        here = np.flatnonzero((place >= 0) & (points < told.truth.end[np.maximum(place, 0)]))
        offsets = told.enter_rows.offsets
        which, at = ranges(offsets[place[here]], offsets[place[here] + 1])
        return here[which], told.enter_rows.numbers[at]
