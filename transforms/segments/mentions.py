"""What a rule reads: through its own words and through the computed traits and segments that it names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.event import CONTEXT, NAME, TYPE
from transforms.profiles.normalize.columns import DEVICE_TYPE
from transforms.profiles.normalize.device import device_type_of
from transforms.profiles.normalize.traits import columns_of_trait
from transforms.segments.language import ast
from transforms.segments.language.walk import walk
from transforms.segments.nodes.quantifier import quantifier_name
from transforms.segments.nodes.state import MEMBER, EventView
from transforms.segments.values import trait_fields


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a rule reads, directly or through other definitions.

    (event type, name) pairs, the types of which it takes every event, trait fields, typed columns, and the names of the
    rules that ANY and ALL ask an account's users.
    """

    streams: frozenset[tuple[str, str]]
    types: frozenset[str]
    fields: frozenset[str]
    columns: frozenset[str]
    asked: frozenset[str] = frozenset()

    def ids(self, view: EventView) -> Sequence[str]:
        """What the rule mentions in an event: the event itself, or that of an account's user which it stands for."""
        if view.event[TYPE] == MEMBER:
            return (view.message_id,) if view.message_id and view.event[NAME] in self.asked else ()
        return (view.message_id,) if self.concerns(view) else ()

    def concerns(self, view: EventView) -> bool:
        """Whether the event is one that the rule mentions."""
        kind = view.event[TYPE]
        if DEVICE_TYPE in self.columns and device_type_of(view.event[CONTEXT]) is not None:
            return True
        if kind == "identify":
            # Of an account it is a group event: it may have put a user in.
            return bool(self.asked) or self._reads_any(view.traits)
        return kind in self.types or (kind, view.event[NAME]) in self.streams

    def _reads_any(self, traits: dict[str, Any]) -> bool:
        if self.fields and not self.fields.isdisjoint(traits):
            return True
        return bool(self.columns) and any(not self.columns.isdisjoint(columns_of_trait(name)) for name in traits)


class Reader:
    """Looks references up in a set of definitions."""

    def __init__(self, definitions: ast.Definitions) -> None:
        self.traits = {trait.name: trait.value for trait in definitions.traits}
        self.segments = {segment.name: segment.when for segment in definitions.segments}

    def mentions(self, condition: ast.Condition | None) -> Mentions:
        """What the condition reads."""
        streams: set[tuple[str, str]] = set()
        types: set[str] = set()
        fields: set[str] = set()
        columns: set[str] = set()
        for scalar in self._scalars(condition):
            if isinstance(scalar, ast.Reduced):
                stream = scalar.stream
                if stream.name is None:
                    types.update(stream.types())
                else:
                    streams.add((stream.type, stream.name))
            elif isinstance(scalar, ast.Trait):
                fields.update(trait_fields(scalar.path))
            elif isinstance(scalar, ast.Column):
                columns.add(scalar.name)
        found = (frozenset(streams), frozenset(types), frozenset(fields), frozenset(columns))
        return Mentions(*found, frozenset(self._asked(condition)))

    def _asked(self, condition: ast.Condition | None) -> Iterator[str]:
        """The rules that it asks the users of an account, itself or through a segment."""
        for node, _ in walk(condition) if condition is not None else ():
            if isinstance(node, ast.Quantified):
                yield quantifier_name(node.item)
            elif isinstance(node, ast.Membership) and node.name in self.segments:  # inside ANY: a segment of people
                yield from self._asked(self.segments[node.name])

    def _scalars(self, condition: ast.Condition | None) -> Iterator[ast.Scalar]:
        if isinstance(condition, ast.And | ast.Or):
            for item in condition.items:
                yield from self._scalars(item)
        elif isinstance(condition, ast.Not):
            yield from self._scalars(condition.item)
        elif isinstance(condition, ast.HeldFor):
            yield from self._scalars(condition.comparison)
        elif isinstance(condition, ast.Compare):
            for scalar in (condition.left, *condition.arguments):
                yield from self._scalar(scalar)

    def _scalar(self, scalar: ast.Scalar) -> Iterator[ast.Scalar]:
        yield scalar
        if isinstance(scalar, ast.ComputedTrait):
            yield from self._scalar(self.traits[scalar.name])
        elif isinstance(scalar, ast.Membership):
            yield from self._scalars(self.segments[scalar.name])
        elif isinstance(scalar, ast.Reduced):
            for item in scalar.stream.filters:
                if isinstance(item, ast.Where):
                    yield from self._scalars(item.condition)
