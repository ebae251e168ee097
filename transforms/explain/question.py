"""What a preview is asked."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.segments.language import ast
from transforms.segments.language.resolve import needed_definitions

SAMPLE_SIZE = 10


@dataclass(frozen=True, slots=True)
class Rule:
    """A segment, what it refers to, and (for overlaps) what stands beside it."""

    segment: ast.SegmentDefinition
    definitions: ast.Definitions

    @property
    def needed(self) -> ast.Definitions:
        """The segment and what it refers to."""
        return needed_definitions(self.definitions, frozenset({self.segment.name}))


@dataclass(frozen=True, slots=True)
class Question:
    """What to find out at `as_of`; `against` is another version of the rule."""

    rule: Rule
    against: Rule | None
    as_of: int
    sample_size: int = SAMPLE_SIZE
