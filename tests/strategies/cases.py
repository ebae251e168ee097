"""Cases for the law that the engine and the reference agree: one profile, its events, the definitions, as_of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from schemas.event import Event
from tests.reference.memberships import memberships
from tests.strategies import rules, worlds
from tests.strategies.choices import Choices, drawn, seeded
from transforms.segments.language import ast

ATTEMPTS = 6


@dataclass(frozen=True)
class Case:
    """What both sides are given. Events are sorted by (timestamp, message_id); the first is not after as_of."""

    profile_id: str
    events: tuple[Event, ...]
    definitions: ast.Definitions
    as_of: int


def case(choices: Choices) -> Case:
    """A case, made of choices."""
    events = worlds.events(choices)
    definitions = rules.definitions(choices)
    as_of = events[-1].timestamp
    if choices.chance(60):
        as_of = worlds.START_US + choices.number(0, 2 * worlds.SPAN) * worlds.GRID_US
    profile_id = choices.pick(("user:u1", "user:u1", "user:u1", "anon:a1"))
    return Case(profile_id, tuple(events), definitions, max(as_of, events[0].timestamp))


def seeded_case(seed: int) -> Case:
    """The case of a seed: fast, and always the same. Most are chosen to have a membership that ends."""
    choices = seeded(seed)
    found = case(choices)
    for _ in range(choices.pick((0, ATTEMPTS, ATTEMPTS, ATTEMPTS))):
        if is_lively(found):
            break
        found = case(choices)
    return found


def is_lively(found: Case) -> bool:
    """Whether someone leaves a segment."""
    rows = memberships(found.profile_id, found.events, found.definitions, found.as_of)
    return any(row.exited_at is not None for row in rows)


@st.composite
def cases(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Case:
    """Cases that Hypothesis can make smaller."""
    return case(drawn(draw))
