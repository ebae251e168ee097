"""Generated worlds of several profiles, with the definitions of one case."""

from __future__ import annotations

from dataclasses import replace

from schemas.event import Event
from tests.strategies import rules, worlds
from tests.strategies.choices import Choices, seeded
from transforms.segments.language import ast

World = tuple[dict[str, tuple[Event, ...]], ast.Definitions, int]
"""Events by profile, the definitions, as_of."""

FAR = (b"2029-02-28", b"9999-12-31", b"0001-01-01", b"2126-07-01")
"""Days in place of one near the others'."""


def seeded_profiles(seed: int) -> World:
    """One to four profiles, whose message ids differ; some with many events, or dates centuries away."""
    choices = seeded(seed)
    definitions = rules.definitions(choices)
    ids = ("anon:a1", "user:u1", "user:u2", "user:u3")[: choices.number(1, 4)]
    most = choices.pick((worlds.MOST_EVENTS, worlds.MOST_EVENTS, worlds.MOST_EVENTS, 40))
    day = choices.pick(FAR) if choices.chance(10) else b"2026-01-06"
    profiles = {profile_id: _events(choices, most, number, day) for number, profile_id in enumerate(ids)}
    as_of = max(events[-1].timestamp for events in profiles.values())
    if choices.chance(60):
        as_of = worlds.START_US + choices.number(0, 2 * worlds.SPAN) * worlds.GRID_US
    return profiles, definitions, max(as_of, min(events[0].timestamp for events in profiles.values()))


def seeded_funnels(seed: int) -> World:
    """Rules that look from one event at others, in the forms that people write, over many events."""
    choices = seeded(seed)
    segments = tuple(
        replace(
            rules.segment(f"s{number}", choices, rules.Names()), when=_funnel(choices), members=None, reentry_after=None
        )
        for number in range(3)
    )
    ids = ("anon:a1", "user:u1", "user:u2")[: choices.number(1, 3)]
    profiles = {profile_id: _events(choices, 24, number, b"2026-01-06") for number, profile_id in enumerate(ids)}
    return profiles, ast.Definitions(segments), worlds.START_US + choices.number(12, 40) * worlds.GRID_US


def _funnel(choices: Choices) -> ast.Condition:
    """So many events, each of which is followed by so many others (with the same value, more often than not)."""
    inner = tuple(_followed(choices) for _ in range(choices.pick((1, 1, 1, 2))))
    where: ast.Condition = ast.And(inner) if choices.chance(50) else ast.Or(inner)
    windows = choices.pick(((), (ast.Window(0, rules.duration(choices)),), (ast.Window(*rules.bounds(choices)),)))
    stream = ast.Stream(
        "track", choices.pick(worlds.TRACKS), (ast.Where(where if len(inner) > 1 else inner[0]), *windows)
    )
    return _counted(choices, stream)


def _followed(choices: Choices) -> ast.Condition:
    filters: list[ast.Where | ast.Window | ast.ParentWindow] = []
    if choices.chance(70):
        paths = choices.pick((("product_id", "product_id"), ("products.$.product_id", "product_id"), ("tags.$",) * 2))
        own, theirs = ast.Field("properties", paths[0]), ast.Field("properties", paths[1], parent=True)
        filters.append(ast.Where(ast.Compare("equals", own, (theirs,))))
    if choices.chance(80):
        window = ast.ParentWindow(*rules.bounds(choices), excludes_parent=False)
        within = ast.ParentWindow(0, rules.duration(choices), excludes_parent=True)
        filters.append(window if choices.chance(30) else within)
    if choices.chance(20):
        filters.append(ast.Window(0, rules.duration(choices)))
    followed = _counted(choices, ast.Stream("track", choices.pick(worlds.TRACKS), tuple(filters)))
    return ast.Not(followed) if choices.chance(15) else followed


def _counted(choices: Choices, stream: ast.Stream) -> ast.Compare:
    operator = choices.pick(("equals", "at_least", "at_least", "greater_than", "at_most", "less_than", "differs"))
    number = 0 if operator in ("equals", "differs") else choices.pick((1, 2, 3, 0))
    return ast.Compare(operator, ast.Reduced(stream, "count"), (ast.Literal(number),))


def _events(choices: Choices, most: int, number: int, day: bytes) -> tuple[Event, ...]:
    return tuple(
        event._replace(
            message_id=f"{event.message_id}-{number}",
            properties=event.properties and event.properties.replace(b"2026-01-06", day),
            traits=event.traits and event.traits.replace(b"2026-01-06", day),
        )
        for event in worlds.events(choices, most)
    )
