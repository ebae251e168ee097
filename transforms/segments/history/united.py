"""Stays of segments and of groups of profiles, put together in the order in which they are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.segments.history.histories import Flags, Integers, Ragged
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
        return StayColumns(
            self.segment[places],
            self.profile[places],
            self.entered_at[places],
            self.exited_at[places],
            self.expires_at[places],
            self.enter_cause[places],
            self.exit_cause[places],
            _chosen(self.enter_rows, places),
            _chosen(self.exit_rows, places),
        )


def of_segments(columns: Mapping[int, Columns]) -> StayColumns:
    """The stays of segments (by their places), in order."""
    parts = list(columns.values())
    return StayColumns(
        np.repeat(np.array(list(columns), np.int32), [len(one.profile) for one in parts]),
        np.concatenate([NOTHING, *(one.profile for one in parts)]),
        np.concatenate([NOTHING, *(one.entered_at for one in parts)]),
        np.concatenate([NOTHING, *(one.exited_at for one in parts)]),
        np.concatenate([NOTHING, *(one.expires_at for one in parts)]),
        np.concatenate([_NO_CAUSES, *(one.enter_cause for one in parts)]),
        np.concatenate([_NO_CAUSES, *(one.exit_cause for one in parts)]),
        _joined([one.enter_rows for one in parts]),
        _joined([one.exit_rows for one in parts]),
    ).ordered()


def united(parts: Sequence[StayColumns]) -> StayColumns:
    """The stays of several groups, in order."""
    return StayColumns(
        np.concatenate([one.segment for one in parts]),
        np.concatenate([one.profile for one in parts]),
        np.concatenate([one.entered_at for one in parts]),
        np.concatenate([one.exited_at for one in parts]),
        np.concatenate([one.expires_at for one in parts]),
        np.concatenate([one.enter_cause for one in parts]),
        np.concatenate([one.exit_cause for one in parts]),
        _joined([one.enter_rows for one in parts]),
        _joined([one.exit_rows for one in parts]),
    ).ordered()


_NO_CAUSES = np.zeros(0, np.int8)


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
