"""Worlds for the law that the stream ends where the batch job ends: people, devices, copies, conflicts, rules."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from schemas.event import Event
from tests.strategies import identities, rules, worlds
from tests.strategies.choices import Choices, seeded
from tests.strategies.worlds import GRID_US, START_US
from transforms.records import Record
from transforms.segments.language import ast

SOURCE = "made"
MOST_EVENTS = 18


@dataclass(frozen=True)
class World:
    """What both sides are given. `records` are in no particular order; `as_of` is not before any of them."""

    records: tuple[Record, ...]
    definitions: ast.Definitions
    as_of: int
    stitch_window: int
    max_merges: int


def world(choices: Choices, most: int = MOST_EVENTS) -> World:
    """A world, made of choices."""
    deletions = choices.chance(50)
    records: list[Record] = []
    for number in range(choices.number(1, most)):
        if records and choices.chance(20):
            records.append(_again(choices.pick(records), choices, deletions))
        else:
            records.append(_record(_event(f"m{number:02}", choices, deletions)))
    as_of = max(record[1] for record in records) + choices.pick((0, 0, 1, 3, 30)) * GRID_US
    definitions = rules.definitions(choices)
    return World(tuple(records), definitions, as_of, choices.number(0, 8) * GRID_US, choices.pick((100, 1, 2)))


def seeded_world(seed: int) -> World:
    """The world of a seed."""
    return world(seeded(seed))


def _event(message_id: str, choices: Choices, deletions: bool) -> Event:
    who = identities.event(message_id, choices, deletions=deletions)
    what = worlds.event(message_id, choices)
    if who.type in ("alias", "delete"):
        return who
    timestamp = START_US + choices.number(0, worlds.SPAN) * GRID_US + choices.pick((0, 0, 0, 1))
    return what._replace(timestamp=timestamp, user_id=who.user_id, anonymous_id=who.anonymous_id)


def _again(record: Record, choices: Choices, deletions: bool) -> Record:
    """A copy, a copy whose time was read off its arrival, or another content under the same id."""
    event = Event(*record[:12])
    kind = choices.number(0, 2)
    if kind == 0:
        return _record(event._replace(received_at=START_US + choices.number(0, 9)))
    if kind == 1:
        return _record(_event(event.message_id, choices, deletions))
    timeless = replace_time(event, START_US + choices.number(0, worlds.SPAN) * GRID_US)
    return _record(timeless)


def replace_time(event: Event, timestamp: int) -> Event:
    return event._replace(timestamp=timestamp)


def _record(event: Event) -> Record:
    return (*event, raw(event), SOURCE)


def raw(event: Event) -> bytes:
    """The event's bytes. Message ids that end in an odd digit carry no timestamp: theirs is read off the arrival."""
    wire: dict[str, Any] = {"messageId": event.message_id, "type": event.type, "name": event.name}
    wire |= {"userId": event.user_id, "anonymousId": event.anonymous_id, "previousId": event.previous_id}
    for name in ("properties", "traits", "context"):
        text = getattr(event, name)
        wire[name] = None if text is None else json.loads(text)
    if int(event.message_id[-1]) % 2:
        wire["receivedAt"] = [event.timestamp, event.received_at]
    else:
        wire["timestamp"], wire["receivedAt"] = event.timestamp, event.received_at
    return json.dumps(wire).encode()


def smaller(found: World, index: int) -> World:
    """The world without one of its records."""
    return replace(found, records=found.records[:index] + found.records[index + 1 :])


def united(worlds_of: list[World]) -> World:
    """Several worlds as one, people and message ids apart; the rules and limits are those of the first."""
    first = worlds_of[0]
    records = [_renamed(record, f"{number}.") for number, one in enumerate(worlds_of) for record in one.records]
    return replace(first, records=tuple(records), as_of=max(one.as_of for one in worlds_of))


def _renamed(record: Record, prefix: str) -> Record:
    event = Event(*record[:12])
    ids = {name: getattr(event, name) for name in ("message_id", "user_id", "anonymous_id", "previous_id")}
    return _record(event._replace(**{name: prefix + known for name, known in ids.items() if known is not None}))
