"""When a profile will leave its segments if nothing else happens. Pure.

A live stream asks after nearly every event. Letting time pass in a copy of the state costs what the longest window
holds, milliseconds for a shopper of a thousand views a day. Of most rules the nodes can tell what is ahead of them
(`Node.ahead`); for the others time is let pass in a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from transforms.segments.comparisons import NEVER
from transforms.segments.nodes.state import State
from transforms.segments.program import Program
from transforms.segments.replay import MembershipInterval, with_expiry


def look_ahead(
    program: Program, state: State, now: int, stays: Sequence[MembershipInterval]
) -> list[MembershipInterval]:
    """Stays that last, with their `expires_at`: what `with_expiry` says of a fork of the state, which is at `now`."""
    found, left = [], []
    for stay in stays:
        exit_at = program.segment(stay.segment).exit_ahead(state, now)
        if exit_at is None:
            left.append(stay)
        else:
            found.append(replace(stay, expires_at=None if exit_at == NEVER else exit_at))
    relevant = frozenset[int]().union(*(program.reads[stay.segment] for stay in left))
    if left and not relevant.isdisjoint(state.due):
        left = with_expiry(program, program.fork(state, relevant), left)
    return found + left
