"""Events of profiles that are tuples in memory, as columns."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from operator import itemgetter

import numpy as np
import pyarrow as pa

from schemas.event import CONTEXT, MESSAGE_ID, NAME, PROPERTIES, TIMESTAMP, TRAITS, TYPE
from transforms.segments.history.histories import Histories
from transforms.segments.nodes.state import EventTuple


def histories_of(profiles: Mapping[str, Sequence[EventTuple]], as_of: int) -> Histories:
    """The histories of profiles, each in order of (timestamp, message id); events after `as_of` are left out."""
    kept = {
        profile_id: events[: bisect_right(events, as_of, key=itemgetter(TIMESTAMP))]
        for profile_id, events in sorted(profiles.items())
    }
    kept = {profile_id: events for profile_id, events in kept.items() if events}
    events = [event for found in kept.values() for event in found]
    lengths = np.array([len(found) for found in kept.values()], np.int64)
    return Histories(
        list(kept),
        np.repeat(np.arange(len(kept)), lengths),
        np.array([event[TIMESTAMP] for event in events], np.int64),
        pa.array([event[MESSAGE_ID] for event in events], pa.large_string()),
        *(pa.array([event[field] for event in events], pa.string()).dictionary_encode() for field in (TYPE, NAME)),
        *(pa.array([event[field] for event in events], pa.large_binary()) for field in (PROPERTIES, TRAITS, CONTEXT)),
    )
