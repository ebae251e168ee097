"""One profile's history, from its events to its rows. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

from schemas.event import ANONYMOUS_ID, CONTEXT, MESSAGE_ID, TIMESTAMP
from transforms.profiles.normalize.device import device_type_of
from transforms.profiles.normalize.traits import normalize_traits
from transforms.profiles.rows import TYPED_COLUMNS, Row, change_rows, json_object, membership_row, user_id_of
from transforms.records import Record
from transforms.segments.program import Program
from transforms.segments.replay import ReplayResult, replay

BY_TIME = itemgetter(TIMESTAMP, MESSAGE_ID)
"""The order of events everywhere: (timestamp, message id)."""


class ProfileHistory(NamedTuple):
    """Rows of `profiles`, `memberships` and `membership_changes`; columns whose traits could not be normalised."""

    profile: Row
    memberships: list[Row]
    changes: list[Row]
    not_normalised: tuple[str, ...]


def build_history(program: Program, profile_id: str, records: Sequence[Record], as_of: int) -> ProfileHistory | None:
    """Everything that follows from a profile's events; None for a profile that does not exist yet at `as_of`.

    `records` are events as plain tuples, in order; those after `as_of` do not count.
    """
    records = records[: bisect_right(records, as_of, key=itemgetter(TIMESTAMP))]
    if not records:
        return None
    result = replay(program, profile_id, records, as_of)
    versions = program.versions
    memberships, changes = [], []
    for interval in result.memberships:
        version = versions[interval.segment]
        memberships.append(membership_row(profile_id, interval, version, as_of))
        changes += change_rows(profile_id, interval, version, as_of)
    row, not_normalised = _profile_row(profile_id, records, result, as_of)
    return ProfileHistory(row, memberships, changes, not_normalised)


def _profile_row(
    profile_id: str, records: Sequence[Record], result: ReplayResult, as_of: int
) -> tuple[Row, tuple[str, ...]]:
    typed, not_normalised = normalize_traits(result.writes, latest_device_type(records))
    segments = sorted(interval.segment for interval in result.memberships if interval.exited_at is None)
    anonymous_ids = sorted({record[ANONYMOUS_ID] for record in records} - {None})
    row = (
        *(profile_id, user_id_of(profile_id), anonymous_ids),
        *(typed[name] for name in TYPED_COLUMNS),
        *(json_object(result.traits), json_object(result.computed), segments),
        *(records[0][TIMESTAMP], records[-1][TIMESTAMP], len(records), None, 1, as_of),
    )
    return row, not_normalised


def latest_device_type(records: Sequence[Record]) -> str | None:
    """`context.device.type` of the latest event that names one."""
    named = (device_type_of(record[CONTEXT]) for record in reversed(records))
    return next((kind for kind in named if kind is not None), None)
