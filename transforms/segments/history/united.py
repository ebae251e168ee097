"""Stays of segments and of groups of profiles, put together in the order in which they are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.segments.history.histories import Evaluated, Flags, Integers, Ragged
from transforms.segments.history.stays import Columns
from transforms.segments.history.timeline import NOTHING, ranges


class StayColumns(NamedTuple):
    """The columns of stays, as `Evaluated` has them."""

    segment: npt.NDArray[np.int32]
    profile: Integers
    entered_at: Integers
    exited_at: Integers
    expires_at: Integers
    enter_cause: npt.NDArray[np.int8]
    exit_cause: npt.NDArray[np.int8]
    enter_rows: Ragged
    exit_rows: Ragged

    def where(self, flags: Flags) -> StayColumns:
        """Some of them."""
        return self._at(np.flatnonzero(flags))

    def ordered(self) -> StayColumns:
        """By profile, entry, segment."""
        return self._at(np.lexsort((self.segment, self.entered_at, self.profile)))

    def within(self, profiles: Integers, rows: Integers) -> StayColumns:
        """Those of a group whose profiles and events have these numbers in the bucket."""
        enter, leave = (Ragged(one.offsets, rows[one.numbers]) for one in (self.enter_rows, self.exit_rows))
        return self._replace(profile=profiles[self.profile], enter_rows=enter, exit_rows=leave)

    def _at(self, places: Integers) -> StayColumns:
        columns: list[Any] = [_chosen(one, places) if isinstance(one, Ragged) else one[places] for one in self]
        return StayColumns(*columns)


def stays_where(evaluated: Evaluated, flags: Flags) -> StayColumns:
    """Some of the stays of profiles."""
    columns: list[Any] = list(evaluated[: len(StayColumns._fields)])
    return StayColumns(*columns).where(flags)


def of_segments(columns: Mapping[int, Columns]) -> StayColumns:
    """The stays of segments (by their places), in order."""
    parts = [_of_segment(segment, one) for segment, one in columns.items()]
    return united(parts) if parts else _NO_STAYS


def _of_segment(segment: int, columns: Columns) -> StayColumns:
    said: list[Any] = [getattr(columns, name) for name in StayColumns._fields[1:]]
    return StayColumns(np.full(len(columns.profile), segment, np.int32), *said)


def united(parts: Sequence[StayColumns]) -> StayColumns:
    """The stays of several groups, in order."""
    columns: list[Any] = [
        _joined(column) if isinstance(column[0], Ragged) else np.concatenate(column)
        for column in zip(*parts, strict=True)
    ]
    return StayColumns(*columns).ordered()


_NO_CAUSES, _NO_ROWS = np.zeros(0, np.int8), Ragged(np.zeros(1, np.int64), NOTHING)
_NO_STAYS = StayColumns(
    np.zeros(0, np.int32), NOTHING, NOTHING, NOTHING, NOTHING, _NO_CAUSES, _NO_CAUSES, _NO_ROWS, _NO_ROWS
)


def _joined(parts: Sequence[Ragged]) -> Ragged:
    """Parts one after the other."""
    counts = np.concatenate([NOTHING, *(np.diff(part.offsets) for part in parts)])
    numbers = np.concatenate([NOTHING, *(part.numbers for part in parts)])
    return Ragged(np.concatenate((np.zeros(1, np.int64), counts.cumsum())), numbers)


def _chosen(ragged: Ragged, places: Integers) -> Ragged:
    """Some rows, in the order given."""
    first, last = ragged.offsets[places], ragged.offsets[places + 1]
    _, at = ranges(first, last)
    return Ragged(np.concatenate((np.zeros(1, np.int64), (last - first).cumsum())), ragged.numbers[at])
