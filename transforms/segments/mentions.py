"""What a rule reads: through its own words and through the computed traits and segments that it names."""

from __future__ import annotations

from collections.abc import Iterator

from transforms.segments.language import ast
from transforms.segments.values import trait_fields


class Reader:
    """Looks references up in a set of definitions."""

    def __init__(self, definitions: ast.Definitions) -> None:
        self.traits = {trait.name: trait.value for trait in definitions.traits}
        self.segments = {segment.name: segment.when for segment in definitions.segments}

    def mentions(self, condition: ast.Condition | None) -> tuple[frozenset[tuple[str, str]], frozenset[str]]:
        """The streams, as (event type, name), and the trait fields that the condition reads."""
        streams: set[tuple[str, str]] = set()
        fields: set[str] = set()
        for scalar in self._scalars(condition):
            if isinstance(scalar, ast.Reduced):
                streams.add((scalar.stream.type, scalar.stream.name))
            elif isinstance(scalar, ast.Trait):
                fields.update(trait_fields(scalar.path))
        return frozenset(streams), frozenset(fields)

    def _scalars(self, condition: ast.Condition | None) -> Iterator[ast.Scalar]:
        if isinstance(condition, ast.And | ast.Or):
            for item in condition.items:
                yield from self._scalars(item)
        elif isinstance(condition, ast.Not):
            yield from self._scalars(condition.item)
        elif isinstance(condition, ast.HeldFor):
            yield from self._scalars(condition.comparison)
        elif condition is not None:
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
