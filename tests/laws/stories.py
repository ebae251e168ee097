"""Short words to tell a profile's story and to write its rules down."""

from __future__ import annotations

import json
from typing import Any

from schemas.event import Event
from tests.reference.history import History
from tests.reference.instants import static_instants
from tests.reference.memberships import MembershipRow, computed, memberships
from tests.reference.rules import holds, value
from transforms.segments.language import ast

HOUR = 3_600_000_000
DAY = 24 * HOUR
START = 1_767_571_200_000_000  # 2026-01-05T00:00:00Z
FAR = START + 1000 * DAY


def hour(number: float) -> int:
    """So many hours after the start."""
    return START + int(number * HOUR)


def encode(found: dict[str, Any]) -> bytes:
    return json.dumps(found, separators=(",", ":")).encode()


def track(message_id: str, at: int, name: str = "View", **properties: Any) -> Event:
    return Event(message_id, at, "track", name, "ann", None, None, None, None, encode(properties), None, None)


def views(*sent: Any) -> list[Event]:
    """View events an hour apart; None has no property."""
    return [track(f"m{n}", hour(n), **({} if x is None else {"x": x})) for n, x in enumerate(sent)]


def identify(message_id: str, at: int, **traits: Any) -> Event:
    return Event(message_id, at, "identify", "", "ann", None, None, None, None, None, encode(traits), None)


def stream(name: str, *filters: ast.Where | ast.Window | ast.ParentWindow) -> ast.Stream:
    return ast.Stream("track", name, filters)


def within(duration: int) -> ast.Window:
    return ast.Window(0, duration)


def within_parent(duration: int) -> ast.ParentWindow:
    return ast.ParentWindow(0, duration, excludes_parent=True)


def count(name: str, *filters: ast.Where | ast.Window | ast.ParentWindow) -> ast.Reduced:
    return ast.Reduced(stream(name, *filters), "count")


def reduce_view(reducer: str, path: str = "x", **options: Any) -> ast.Reduced:
    return ast.Reduced(stream("View"), reducer, prop(path), **options)


def prop(path: str, *, parent: bool = False) -> ast.Field:
    return ast.Field("properties", path, parent)


def compare(left: ast.Scalar, operator: str, *arguments: ast.Scalar | str | float) -> ast.Compare:
    """A comparison; plain strings and numbers are literals."""
    scalars = (ast.Literal(item) if isinstance(item, str | int | float) else item for item in arguments)
    return ast.Compare(operator, left, tuple(scalars))


def some(scalar: ast.Scalar) -> ast.Compare:
    return compare(scalar, "at_least", 1)


def none(scalar: ast.Scalar) -> ast.Compare:
    return compare(scalar, "equals", 0)


def segment(when: ast.Condition | None, name: str = "s", **options: Any) -> ast.SegmentDefinition:
    return ast.SegmentDefinition(name, "", when, **options)


def trait_definition(name: str, scalar: ast.Scalar) -> ast.TraitDefinition:
    return ast.TraitDefinition(name, "", scalar)


def history(events: list[Event], *definitions: ast.SegmentDefinition | ast.TraitDefinition) -> History:
    """A history in which conditions of the definitions can be asked about."""
    found = History.of("user:ann", events, together(*definitions))
    found.instants = static_instants(found)
    return found


def together(*definitions: ast.SegmentDefinition | ast.TraitDefinition) -> ast.Definitions:
    segments = tuple(item for item in definitions if isinstance(item, ast.SegmentDefinition))
    traits = tuple(item for item in definitions if isinstance(item, ast.TraitDefinition))
    return ast.Definitions(segments, traits)


def true_at(condition: ast.Condition, events: list[Event], *instants: int) -> list[bool]:
    """Whether a condition holds at each of some instants."""
    told = history(events, segment(condition))
    return [holds(condition, instant, told) for instant in instants]


def value_of(scalar: ast.Scalar, *events: Event, at: int = FAR) -> Any:
    """A scalar's value after some events."""
    return value(scalar, at, history(list(events)))


def rows(
    events: list[Event],
    *definitions: ast.SegmentDefinition | ast.TraitDefinition,
    as_of: int = FAR,
    profile: str = "user:ann",
) -> list[MembershipRow]:
    return memberships(profile, events, together(*definitions), as_of)


def spans(*arguments: Any, **options: Any) -> list[tuple[int, int | None]]:
    """The intervals alone."""
    return [(row.entered_at, row.exited_at) for row in rows(*arguments, **options)]


def computed_of(
    events: list[Event], *definitions: ast.SegmentDefinition | ast.TraitDefinition, as_of: int = FAR
) -> Any:
    return computed("user:ann", events, together(*definitions), as_of)
