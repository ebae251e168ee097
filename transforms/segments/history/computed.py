"""Computed traits at `as_of`, and the traits that identifies have left."""

from __future__ import annotations

from typing import Any

from schemas.instants import instant_text
from transforms.segments.history.compile import HistoryProgram
from transforms.segments.history.reduced import StreamScalar
from transforms.segments.history.scope import Scalar, Scope
from transforms.segments.history.world import World
from transforms.segments.nodes.state import TraitWrite

Traits = list[dict[str, Any]]
Writes = list[dict[str, TraitWrite]]


def computed_values(program: HistoryProgram, root: Scope) -> dict[str, list[Any]]:
    """By computed trait one JSON value per profile; instants as ISO 8601 text."""
    found = {}
    for name, (scalar, is_instant) in program.computed.items():
        values = _values(scalar, root)
        found[name] = [None if value is None else instant_text(value) for value in values] if is_instant else values
    return found


def _values(scalar: Scalar, root: Scope) -> list[Any]:
    if isinstance(scalar, StreamScalar) and not root.knows(scalar):
        return scalar.final(root)
    steps = root.steps(scalar)
    values = [*steps.values, steps.default]
    now = root.zero + (root.world.as_of - root.world.origin)
    return [values[code] for code in steps.codes_at(now, root.span).tolist()]


def final_traits(world: World) -> tuple[Traits, Writes]:
    """Per profile the traits that are set, and the last write of each that was ever written."""
    rows, told = world.identifies
    histories = world.histories
    traits: Traits = [{}] * world.count
    writes: Writes = [{}] * world.count
    profiles = histories.profile[rows].tolist()
    times = histories.timestamp[rows].tolist()
    ids = histories.message_id.take(rows).to_pylist()
    owner = -1
    for profile, time, message_id, values in zip(profiles, times, ids, told, strict=True):
        if profile != owner:
            owner = profile
            own, written = traits[profile], writes[profile] = dict[str, Any](), dict[str, TraitWrite]()
        for name, value in values.items():
            if value is None:
                own.pop(name, None)
            else:
                own[name] = value
            written[name] = TraitWrite(value, time, message_id)
    return traits, writes
