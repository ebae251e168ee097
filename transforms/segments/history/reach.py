"""How long after `as_of` time alone can still change what definitions say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from transforms.segments.comparisons import NEVER, is_relative
from transforms.segments.language import ast
from transforms.segments.language.walk import walk

DATES_AHEAD_US = 400 * 86_400_000_000
"""Dates of the data within this time after `as_of` are looked after at once, later ones in a second go."""

_PERIODS_AHEAD = 4
"""A rule that builds on a segment which is left and entered again by the clock is looked after for so many rounds."""


def reach_of(definitions: ast.Definitions) -> int:
    """Microseconds; dates in the data may lead farther (`World.far`)."""
    reach = _Reach(definitions)
    return max([0, *(reach.of_segment(segment) for segment in definitions.segments)])


def expiries_read(definitions: ast.Definitions) -> list[int]:
    """When segments end that other rules read, and so change those."""
    ends = {segment.name: segment.expires for segment in definitions.segments}
    read = {
        node.name
        for segment in definitions.segments
        if segment.when is not None
        for node, _ in walk(segment.when)
        if isinstance(node, ast.Membership)
    }
    return [end for name in sorted(read) if (end := ends[name]) is not None]


def has_relative_dates(definitions: ast.Definitions) -> bool:
    """Whether any rule or computed trait compares a date with T."""
    trees = [*(segment.when for segment in definitions.segments), *(trait.value for trait in definitions.traits)]
    return any(
        isinstance(node, ast.Compare) and is_relative(node)
        for tree in trees
        if tree is not None
        for node, _ in walk(tree)
    )


class _Reach:
    def __init__(self, definitions: ast.Definitions) -> None:
        self.values: Mapping[str, ast.Scalar] = {trait.name: trait.value for trait in definitions.traits}
        self.segments = {segment.name: segment for segment in definitions.segments}
        self._known: dict[str, int] = {}

    def of_segment(self, segment: ast.SegmentDefinition) -> int:
        if segment.name not in self._known:
            own = (segment.max_membership or 0) + (segment.reentry_after or 0)
            rule = 0 if segment.when is None else self._of(segment.when)
            self._known[segment.name] = rule + own * (_PERIODS_AHEAD if segment.reentry_after else 1)
        return self._known[segment.name]

    def _of(self, tree: ast.Condition | ast.Scalar) -> int:
        """The greatest of what its parts reach, and what is added to that."""
        if isinstance(tree, ast.And | ast.Or):
            return max(map(self._of, tree.items))
        if isinstance(tree, ast.Not):
            return self._of(tree.item)
        if isinstance(tree, ast.HeldFor):
            return self._of(tree.comparison) + tree.duration
        if isinstance(tree, ast.Compare):
            return max(map(self._of, (tree.left, *tree.arguments))) + sum(_durations(tree.arguments))
        if isinstance(tree, ast.ComputedTrait):
            return self._of(self.values[tree.name])
        if isinstance(tree, ast.Membership):
            return self.of_segment(self.segments[tree.name])
        return self._of_stream(tree.stream) if isinstance(tree, ast.Reduced) else 0

    def _of_stream(self, stream: ast.Stream) -> int:
        windows = [item for item in stream.filters if isinstance(item, ast.Window | ast.ParentWindow)]
        bounds = [bound for window in windows for bound in (window.start, window.end) if bound < NEVER]
        rules = [self._of(item.condition) for item in stream.filters if isinstance(item, ast.Where)]
        return max([0, *bounds, *rules])


def _durations(scalars: Iterable[ast.Scalar]) -> Iterable[int]:
    return (scalar.microseconds for scalar in scalars if isinstance(scalar, ast.Duration))
