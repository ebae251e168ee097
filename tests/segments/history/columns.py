"""Events of profiles as the evaluator's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from schemas.event import Event
from transforms.segments.history import Histories


def histories_of(profiles: Mapping[str, Sequence[Event]], as_of: int) -> Histories:
    """Those of each profile's events, in order of (timestamp, message id), that are not after `as_of`."""
    kept = {
        profile_id: [event for event in profiles[profile_id] if event.timestamp <= as_of]
        for profile_id in sorted(profiles)
    }
    kept = {profile_id: events for profile_id, events in kept.items() if events}
    events = [event for found in kept.values() for event in found]
    codes = [code for code, found in enumerate(kept.values()) for _ in found]
    return Histories(
        list(kept),
        np.array(codes, np.int64),
        np.array([event.timestamp for event in events], np.int64),
        pa.array([event.message_id for event in events], pa.large_string()),
        _encoded([event.type for event in events]),
        _encoded([event.name for event in events]),
        pa.array([event.properties for event in events], pa.large_binary()),
        pa.array([event.traits for event in events], pa.large_binary()),
        pa.array([event.context for event in events], pa.large_binary()),
    )


def _encoded(values: Sequence[str]) -> pa.DictionaryArray:
    return pa.array(values, pa.string()).dictionary_encode()
