"""Small worlds of users, devices, aliases and deletions, for the law about identity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from schemas.event import Event
from tests.strategies.choices import Choices, drawn, seeded
from tests.strategies.worlds import GRID_US, START_US

USERS = ("u1", "u2", "u3", "u4")
DEVICES = ("a1", "a2")
SPAN = 12
MOST_EVENTS = 14


@dataclass(frozen=True)
class IdentityCase:
    """What both sides are given: deduplicated events in no particular order, and the limits."""

    events: tuple[Event, ...]
    as_of: int
    stitch_window: int
    max_merges: int


def event(message_id: str, choices: Choices, *, deletions: bool) -> Event:
    """An event, of one of the forms that matter for identity. Some aliases carry a device too."""
    timestamp = START_US + choices.number(0, SPAN) * GRID_US + choices.pick((0, 0, 0, 0, 1))
    kind = choices.pick(("track",) * 6 + ("identify",) * 2 + ("alias",) * 3 + ("delete" if deletions else "track",))
    user: str | None = choices.pick(USERS)
    device: str | None = choices.pick(DEVICES)
    previous = None
    if kind == "alias":
        previous = choices.pick((*USERS, *DEVICES, "p1"))
        device = device if choices.chance(15) else None
    elif kind == "delete":
        device = device if choices.chance(15) else None
    else:
        present = choices.number(0, 9)
        device = None if present <= 2 else device
        user = None if present >= 6 else user
    return Event(message_id, timestamp, kind, "", user, device, previous, None, None, None, None, None)


def identity_case(choices: Choices) -> IdentityCase:
    """A case, made of choices."""
    count, deletions = choices.number(1, MOST_EVENTS), choices.chance(60)
    events = tuple(event(f"m{number:02}", choices, deletions=deletions) for number in range(count))
    as_of = START_US + (choices.number(0, SPAN) if choices.chance(20) else SPAN + 1) * GRID_US
    return IdentityCase(events, as_of, choices.number(0, 6) * GRID_US, choices.pick((100, 1, 2)))


def seeded_identity_case(seed: int) -> IdentityCase:
    """The case of a seed: fast, and always the same."""
    return identity_case(seeded(seed))


@st.composite
def identity_cases(draw: Callable[[st.SearchStrategy[Any]], Any]) -> IdentityCase:
    """Cases that Hypothesis can make smaller."""
    return identity_case(drawn(draw))
