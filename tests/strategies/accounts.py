"""A few people and the accounts that they are put into."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.event import Event
from tests.strategies import rules, worlds
from tests.strategies.choices import Choices
from transforms.segments.language import ast

PEOPLE = ("user:u1", "user:u2", "anon:a1")
GROUPS = ("g1", "g1", "g2")


@dataclass(frozen=True)
class AccountCase:
    """Events by profile, in order; what to evaluate; when."""

    profiles: dict[str, list[Event]]
    definitions: ast.Definitions
    as_of: int


def account_case(choices: Choices) -> AccountCase:
    """A case, made of choices."""
    profiles = {}
    for number, profile_id in enumerate(PEOPLE[: choices.pick((2, 1, 3))]):
        events = [_someones(event, number, choices) for event in worlds.events(choices, most=8)]
        profiles[profile_id] = sorted(events, key=lambda event: (event.timestamp, event.message_id))
    definitions = rules.with_accounts(choices, rules.definitions(choices), least=1)
    as_of = worlds.START_US + choices.number(worlds.SPAN // 2, 2 * worlds.SPAN) * worlds.GRID_US
    return AccountCase(profiles, definitions, as_of)


def _someones(event: Event, number: int, choices: Choices) -> Event:
    event = event._replace(message_id=f"{event.message_id}-{number}", group_id=None)
    if not choices.chance(30):
        return event._replace(type="track") if event.type == "group" else event
    traits = worlds.encode(worlds.traits(choices)) if choices.chance(80) else None
    return event._replace(type="group", name="", group_id=choices.pick(GROUPS), properties=None, traits=traits)
