"""Compiles what a `where` asks of an event beyond the event itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from transforms.segments.comparisons import NEVER, Kind, is_relative
from transforms.segments.compiler import count_threshold
from transforms.segments.filters import (
    conjuncts,
    is_event_condition,
    is_profile_condition,
    is_profile_scalar,
    window_of,
)
from transforms.segments.history.compare import Constant, relative_date, timeless
from transforms.segments.history.conditions import Junction, Negation, OfProfile, ScalarOfProfile
from transforms.segments.history.counted import FieldScalar, FunnelScalar, FunnelThreshold
from transforms.segments.history.fields import FieldName
from transforms.segments.history.funnels import Binding, Funnel
from transforms.segments.history.scope import Condition, Scalar
from transforms.segments.history.streams import Operand, Selection
from transforms.segments.language import ast
from transforms.segments.reducers import is_instant
from transforms.segments.values import is_many


class WhereCompiler:
    """The conditions of one outermost stream. `follows`: no stream nested in it takes events before their parent."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside
        self.follows = True

    def condition_of(
        self, stream: ast.Stream, outer: ast.Stream | None, joined: ast.Condition | None = None
    ) -> Condition | None:
        """What is asked of each of the stream's events; `joined` is seen to already. None: nothing."""
        asked = [
            self.condition(condition, stream, outer)
            for condition in conjuncts(stream)
            if not is_event_condition(condition) and condition is not joined
        ]
        if not asked:
            return None
        return asked[0] if len(asked) == 1 else Junction(asked, every=True)

    # --- conditions ----------------------------------------------------------------------------------------------

    def condition(self, condition: ast.Condition, stream: ast.Stream, outer: ast.Stream | None) -> Condition:
        """A condition of an event of the stream, which is nested in `outer`."""
        if is_profile_condition(condition):
            return OfProfile(self.outside.condition(condition))
        if isinstance(condition, ast.And | ast.Or):
            items = [self.condition(item, stream, outer) for item in condition.items]
            return Junction(items, every=isinstance(condition, ast.And))
        if isinstance(condition, ast.Not):
            return Negation(self.condition(condition.item, stream, outer))
        if isinstance(condition, ast.HeldFor | ast.Quantified):
            raise TypeError(f"{type(condition).__name__} has no meaning for one event")
        return self._compare(condition, stream, outer)

    def _compare(self, comparison: ast.Compare, stream: ast.Stream, outer: ast.Stream | None) -> Condition:
        if is_relative(comparison):
            return relative_date(comparison, *self._scalar(comparison.left, stream, outer))
        comparison = replace(comparison, left=self.outside.resolved(comparison.left))
        found = count_threshold(comparison)
        if found is not None and not is_profile_scalar(comparison.left):
            counted, least, denied = found
            threshold = FunnelThreshold(self._nested(counted.stream, stream), least, self.follows)
            return Negation(threshold) if denied else threshold
        left, kind = self._scalar(comparison.left, stream, outer)
        arguments = [self._scalar(argument, stream, outer) for argument in comparison.arguments]
        return timeless(comparison, left, kind, arguments)

    # --- scalars -------------------------------------------------------------------------------------------------

    def _scalar(self, scalar: ast.Scalar, stream: ast.Stream, outer: ast.Stream | None) -> tuple[Scalar, Kind]:
        if isinstance(scalar, ast.Field):
            return self._field(scalar, stream, outer), Kind(many=is_many(scalar.path))
        if isinstance(scalar, ast.Literal | ast.Instant):
            return Constant(scalar.text if isinstance(scalar, ast.Instant) else scalar.value), Kind(literal=True)
        if is_profile_scalar(scalar):
            found, kind = self.outside.scalar(scalar)
            return ScalarOfProfile(found), kind
        if not isinstance(scalar, ast.Reduced):
            raise TypeError(f"{type(scalar).__name__} has no meaning inside a where")
        of_parent = scalar.field is not None and scalar.field.parent
        operand = self.outside.operand(scalar, stream if of_parent else scalar.stream)
        funnel = self._nested(scalar.stream, stream)
        return FunnelScalar(funnel, scalar, operand, of_parent), Kind(instant=is_instant(scalar.reducer))

    def _field(self, field: ast.Field, stream: ast.Stream, outer: ast.Stream | None) -> FieldScalar:
        if not field.parent:
            return FieldScalar(self.outside.read(stream, field), of_parent=False)
        if outer is None:
            raise TypeError("parent: has no meaning in an outermost where")
        return FieldScalar(self.outside.read(outer, field), of_parent=True)

    # --- nested streams ------------------------------------------------------------------------------------------

    def _nested(self, stream: ast.Stream, outer: ast.Stream) -> Funnel:
        joined, join = self._join(stream, outer)
        windows = [item for item in stream.filters if isinstance(item, ast.ParentWindow)]
        binding = Binding(
            max((window.start for window in windows), default=-NEVER),
            min((window.end for window in windows), default=NEVER),
            any(window.excludes_parent for window in windows),
            join,
        )
        self.follows = self.follows and binding.nearest >= 0
        condition = self.condition_of(stream, outer, joined)
        return Funnel(self.outside.selection(stream), *window_of(stream), binding, condition)

    def _join(
        self, stream: ast.Stream, outer: ast.Stream
    ) -> tuple[ast.Condition | None, tuple[FieldName, FieldName] | None]:
        """The first `property(x) = property(parent: y)`: by it the children of a parent are found."""
        for condition in conjuncts(stream):
            if not (isinstance(condition, ast.Compare) and condition.operator in ("equals", "one_of")):
                continue
            fields = [field for field in (condition.left, *condition.arguments) if isinstance(field, ast.Field)]
            if len(condition.arguments) == 1 and sorted(field.parent for field in fields) == [False, True]:
                own, parents = sorted(fields, key=lambda field: field.parent)
                return condition, (self.outside.read(stream, own), self.outside.read(outer, parents))
        return None, None


class Outside(Protocol):
    """The compiler of everything outside the `where`."""

    def condition(self, condition: ast.Condition) -> Condition: ...

    def scalar(self, scalar: ast.Scalar) -> tuple[Scalar, Kind]: ...

    def resolved(self, scalar: ast.Scalar) -> ast.Scalar: ...

    def read(self, stream: ast.Stream, field: ast.Field) -> FieldName: ...

    def operand(self, reduced: ast.Reduced, of: ast.Stream) -> Operand | None: ...

    def selection(self, stream: ast.Stream) -> Selection: ...
