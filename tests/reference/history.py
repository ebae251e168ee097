"""A profile's events, decoded, and what can be read off them at an instant."""

from __future__ import annotations

import bisect
import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from schemas.event import Event
from tests.reference import values
from tests.reference.columns import column_value, column_write
from transforms.segments.language import ast


@dataclass(frozen=True)
class Happening:
    """An event with its JSON decoded."""

    message_id: str
    timestamp: int
    type: str
    name: str
    properties: Any
    traits: Any
    context: Any

    @property
    def order(self) -> tuple[int, str]:
        """Ties at the same instant break by message id."""
        return (self.timestamp, self.message_id)


def decode(event: Event) -> Happening:
    """The event with its JSON decoded."""
    properties, traits, context = (
        None if text is None else json.loads(text) for text in (event.properties, event.traits, event.context)
    )
    return Happening(event.message_id, event.timestamp, event.type, event.name, properties, traits, context)


@dataclass
class Interval:
    """A membership while it is being found: `exited_at` is None as long as it lasts."""

    segment: str
    entered_at: int
    message_ids: list[str]
    exited_at: int | None = None


@dataclass
class History:
    """One profile: its events in order, the definitions, and the memberships found so far.

    `instants` holds every instant at which anything may change, sorted. An account's history has its users': of each
    the instant at which it was put in, and its own history.
    """

    profile_id: str
    happenings: list[Happening]
    definitions: ast.Definitions
    instants: list[int] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    users: list[tuple[int, History]] = field(default_factory=list)

    @property
    def everything(self) -> list[Happening]:
        """Its own events and those of its users, each once, in order."""
        every = itertools.chain(self.happenings, *(user.happenings for _, user in self.users))
        return sorted({event.message_id: event for event in every}.values(), key=lambda event: event.order)

    def users_at(self, at: int) -> list[History]:
        """Those who have been put in by then."""
        return [user for joined_at, user in self.users if joined_at <= at]

    @classmethod
    def of(cls, profile_id: str, events: Iterable[Event], definitions: ast.Definitions) -> History:
        """The history of a profile, without instants and memberships yet."""
        happenings = sorted((decode(event) for event in events), key=lambda happening: happening.order)
        return cls(profile_id, happenings, definitions)

    @property
    def begins(self) -> int:
        """The first event: from then on the profile exists."""
        return self.happenings[0].timestamp

    def until(self, at: int) -> list[Happening]:
        """The events that exist at an instant."""
        return [happening for happening in self.happenings if happening.timestamp <= at]

    def writes(self, name: str, at: int) -> list[Happening]:
        """The identify events that wrote (or unset) a trait's top-level field, in order."""
        return [
            happening
            for happening in self.until(at)
            if happening.type == "identify" and isinstance(happening.traits, dict) and name in happening.traits
        ]

    def trait(self, path: str, at: int) -> Any:
        """A trait's value: last write wins per top-level field, null unsets."""
        fields: dict[str, Any] = {}
        for happening in self.until(at):
            if happening.type == "identify" and isinstance(happening.traits, dict):
                fields.update(happening.traits)
        return values.at_path({name: value for name, value in fields.items() if value is not None}, path)

    def last_write(self, path: str, at: int) -> Happening | None:
        """The event that last wrote the field that the path reads."""
        writes = self.writes(path, at)
        if self.trait(path, at) is None or not (writes and writes[-1].traits[path] is not None):
            writes = sorted(writes + self.writes(path.split(".", maxsplit=1)[0], at), key=lambda write: write.order)
        return writes[-1] if writes else None

    def column(self, name: str, at: int) -> Any:
        """A typed column's value; of a date the instant."""
        found = column_value(self.until(at), name)
        if name == "signed_up_at" and found is not None:
            return values.Moment(found)
        if name == "birthday" and found is not None:
            return values.Moment(values.as_instant(found) or 0)
        return found

    def column_write(self, name: str, at: int) -> Happening | None:
        """The event that decides a typed column."""
        return column_write(self.until(at), name)

    def computed_trait(self, name: str) -> ast.TraitDefinition:
        """The definition of a computed trait."""
        return next(trait for trait in self.definitions.traits if trait.name == name)

    def segment(self, name: str) -> ast.SegmentDefinition:
        """The definition of a segment."""
        return next(segment for segment in self.definitions.segments if segment.name == name)

    def membership(self, segment: str, at: int) -> Interval | None:
        """The membership of the profile in a segment at an instant, if it is a member."""
        for interval in self.intervals:
            ended = interval.exited_at is not None and interval.exited_at <= at
            if interval.segment == segment and interval.entered_at <= at and not ended:
                return interval
        return None

    def instants_between(self, first: int, last: int) -> list[int]:
        """The instants of [first, last] at which anything may change, and first and last themselves."""
        low, high = bisect.bisect_left(self.instants, first), bisect.bisect_right(self.instants, last)
        return [first, *self.instants[low:high], last]
