"""Generated worlds of several profiles, with the definitions of one case."""

from __future__ import annotations

from schemas.event import Event
from tests.strategies import rules, worlds
from tests.strategies.choices import seeded
from transforms.segments.language import ast

World = tuple[dict[str, tuple[Event, ...]], ast.Definitions, int]
"""Events by profile, the definitions, as_of."""


def seeded_profiles(seed: int) -> World:
    """One to four profiles whose message ids differ."""
    choices = seeded(seed)
    definitions = rules.definitions(choices)
    ids = ("anon:a1", "user:u1", "user:u2", "user:u3")[: choices.number(1, 4)]
    profiles = {}
    for number, profile_id in enumerate(ids):
        events = worlds.events(choices)
        profiles[profile_id] = tuple(event._replace(message_id=f"{event.message_id}-{number}") for event in events)
    as_of = max(events[-1].timestamp for events in profiles.values())
    if choices.chance(60):
        as_of = worlds.START_US + choices.number(0, 2 * worlds.SPAN) * worlds.GRID_US
    return profiles, definitions, max(as_of, min(events[0].timestamp for events in profiles.values()))
