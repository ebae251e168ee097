"""Many profiles' events as columns: what the evaluator is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.segments.nodes.state import TraitWrite

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NO_INSTANT = -(1 << 63)
"""Stands in `exited_at` and `expires_at` for "none"."""

CAUSES = ("event", "time", "segment_expired")
"""What the codes of causes mean; -1 is "none"."""


class Histories(NamedTuple):
    """Events of many profiles, sorted by (profile, timestamp, message id); none after `as_of`, no message id twice.

    Attributes:
        profile_ids: every profile that has an event, sorted; a profile's code is its place.
        profile: int64 (n,), code of the event's profile, non-decreasing.
        timestamp: int64 (n,), microseconds since the epoch.
        message_id: text (n,).
        type: 'track', 'page', 'identify' ... (n,), dictionary-encoded.
        name: of a track event, page or screen, '' for none (n,), dictionary-encoded.
        properties, traits, context: binary (n,), the JSON text of the object, or null.
    """

    profile_ids: Sequence[str]
    profile: Integers
    timestamp: Integers
    message_id: pa.Array
    type: pa.DictionaryArray
    name: pa.DictionaryArray
    properties: pa.Array
    traits: pa.Array
    context: pa.Array

    def of(self, profiles: Integers, rows: Integers) -> Histories:
        """Those of some profiles (codes, ascending), whose events are in these rows; both are numbered anew."""
        columns = (column.take(pa.array(rows)) for column in self[3:])
        ids = [self.profile_ids[profile] for profile in profiles.tolist()]
        return Histories(ids, profiles.searchsorted(self.profile[rows]), self.timestamp[rows], *columns)


class Ragged(NamedTuple):
    """Several numbers for each of m rows: those of row i are `numbers[offsets[i]:offsets[i + 1]]`."""

    offsets: Integers
    numbers: Integers

    def of(self, row: int) -> list[int]:
        """The numbers of one row."""
        found: list[int] = self.numbers[self.offsets[row] : self.offsets[row + 1]].tolist()
        return found


class Evaluated(NamedTuple):
    """What the profiles of a `Histories` come to at `as_of`.

    The stays are m rows of columns, in order of (profile, entered_at, segment): a profile's stand as `replay` has them.

    Attributes:
        segment: int32 (m,), place in the segments of `HistoryProgram.definitions`.
        profile: int64 (m,), code of the profile.
        entered_at: int64 (m,), microseconds.
        exited_at: the same; NO_INSTANT where the stay lasts at `as_of`.
        expires_at: when a stay that lasts will end if nothing else happens; NO_INSTANT where never, or it has ended.
        enter_cause, exit_cause: int8 (m,), places in CAUSES; -1 where there is no exit.
        enter_rows, exit_rows: rows of the events that are the stay's `message_ids` and `exit_message_ids`, in order.
        computed: by computed trait one JSON value per profile (instants as ISO 8601 text).
        traits: per profile, those that are set.
        writes: per profile, the last write of every trait.
    """

    segment: npt.NDArray[np.int32]
    profile: Integers
    entered_at: Integers
    exited_at: Integers
    expires_at: Integers
    enter_cause: npt.NDArray[np.int8]
    exit_cause: npt.NDArray[np.int8]
    enter_rows: Ragged
    exit_rows: Ragged
    computed: dict[str, list[Any]]
    traits: list[dict[str, Any]]
    writes: list[dict[str, TraitWrite]]
