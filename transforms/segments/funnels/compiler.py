"""Compiles a stream whose `where` reaches beyond the event: see `funnels.py` for how it is evaluated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from transforms.segments.comparisons import Kind, compile_relative, compile_timeless, is_relative
from transforms.segments.event_conditions import compile_event_condition, constant, field_reader
from transforms.segments.filters import (
    conjuncts,
    is_event_condition,
    is_profile_condition,
    is_profile_scalar,
    window_of,
)
from transforms.segments.funnels.cells import Candidate
from transforms.segments.funnels.funnel import FunnelNode, Plan, Scope, matching
from transforms.segments.language import ast
from transforms.segments.nodes.node import Node, Witness, bounds_from_above
from transforms.segments.nodes.packing import Many
from transforms.segments.operators import FIXED_DATES
from transforms.segments.reducers import accumulator, is_instant, operand_reader
from transforms.segments.values import is_many


class Outside(Protocol):
    """The compiler of everything outside the funnel."""

    def condition_node(self, condition: ast.Condition) -> Node: ...

    def resolved(self, scalar: ast.Scalar) -> ast.Scalar: ...

    def scalar(self, scalar: ast.Scalar) -> tuple[Node, Kind]: ...


@dataclass(frozen=True)
class _Asked:
    """A condition inside a `where`: whether it holds, and which events beside the parent make it so."""

    holds: Callable[[Scope], bool]
    explain: Callable[[Scope, bool], Witness]


@dataclass(frozen=True)
class _Read:
    """A scalar inside a `where`."""

    value: Callable[[Scope], Any]
    explain: Callable[[Scope], Witness]
    kind: Kind


def compile_funnel(
    outside: Outside, reduced: ast.Reduced, make: Callable[..., FunnelNode]
) -> tuple[FunnelNode, list[ast.Stream]]:
    """The node, and the streams that it takes events of: its own, then the nested ones in the order of their roles.

    `make` is FunnelNode, or makes a kind of it from the same parts.
    """
    compiler = _FunnelCompiler(outside)
    plan = compiler.plan(reduced.stream, None)
    slot = compiler.operand_slot(plan, reduced)
    node = make(reduced, plan, compiler.plans, list(dict.fromkeys(compiler.inputs)), slot)
    return node, [reduced.stream, *(nested.stream for nested in compiler.plans)]


def _nothing(*_: object) -> Witness:
    return set()


class _FunnelCompiler:
    def __init__(self, outside: Outside) -> None:
        self.outside = outside
        self.plans: list[Plan] = []
        self.inputs: list[Node] = []

    # --- streams -------------------------------------------------------------------------------------------------

    def plan(self, stream: ast.Stream, outer: Plan | None) -> Plan:
        start, end = window_of(stream)
        plan = Plan(stream, start, end, depth=0 if outer is None else outer.depth + 1)
        if outer is None:
            plan.retained = end
        else:
            plan.store = len(self.plans)
            self.plans.append(plan)
            _bind_to_parent(plan, outer)
        static, asked = [], []
        for condition in conjuncts(stream):
            if is_event_condition(condition):
                static.append(condition)
            elif not self._join(condition, plan, outer):
                asked.append(self._condition(condition, plan, outer))
        plan.keep = compile_event_condition(static)
        if asked:
            plan.condition = (
                asked[0].holds if len(asked) == 1 else lambda scope: all(item.holds(scope) for item in asked)
            )
            plan.explain = lambda scope: set().union(*(item.explain(scope, True) for item in asked))
        return plan

    def _join(self, condition: ast.Condition, plan: Plan, outer: Plan | None) -> bool:
        """Takes `property(x) = property(parent: y)` as the way to find the children of a parent, once a stream."""
        if outer is None or plan.join is not None:
            return False
        if not (isinstance(condition, ast.Compare) and condition.operator in ("equals", "one_of")):
            return False
        fields = [condition.left, *condition.arguments]
        own = [field for field in fields if isinstance(field, ast.Field) and not field.parent]
        parents = [field for field in fields if isinstance(field, ast.Field) and field.parent]
        if len(fields) != 2 or len(own) != 1 or len(parents) != 1:
            return False
        plan.join = (_slot(plan, own[0]), _slot(outer, parents[0]))
        return True

    def operand_slot(self, plan: Plan, reduced: ast.Reduced) -> int | None:
        """Where a candidate holds what it contributes to the reducer, already cast."""
        field = reduced.field
        if field is None:
            return None
        key = f"operand {reduced.reducer} {reduced.cast} {field!r}"
        if key not in plan.slots:
            read, convert = field_reader(field), operand_reader(reduced, field)
            plan.slots[key] = len(plan.readers)
            plan.readers.append(lambda view: convert(read(view)))
        return plan.slots[key]

    # --- conditions ----------------------------------------------------------------------------------------------

    def _condition(self, condition: ast.Condition, plan: Plan, outer: Plan | None) -> _Asked:
        if is_profile_condition(condition):
            return self._of_profile(condition)
        if isinstance(condition, ast.And | ast.Or):
            items = [self._condition(item, plan, outer) for item in condition.items]
            return _junction(items, every=isinstance(condition, ast.And))
        if isinstance(condition, ast.Not):
            item = self._condition(condition.item, plan, outer)
            return _Asked(lambda scope: not item.holds(scope), lambda scope, wanted: item.explain(scope, not wanted))
        if isinstance(condition, ast.HeldFor | ast.Quantified):
            raise TypeError(f"{type(condition).__name__} has no meaning for one event")
        return (
            self._relative(condition, plan, outer) if is_relative(condition) else self._timeless(condition, plan, outer)
        )

    def _of_profile(self, condition: ast.Condition) -> _Asked:
        node = self.outside.condition_node(condition)
        self.inputs.append(node)
        return _Asked(
            lambda scope: bool(node.value(scope.state)),
            lambda scope, wanted: node.witness(scope.state, scope.now),
        )

    def _relative(self, comparison: ast.Compare, plan: Plan, outer: Plan | None) -> _Asked:
        left = self._scalar(comparison.left, plan, outer)
        test = compile_relative(comparison, left.kind)

        def holds(scope: Scope) -> bool:
            answer, until = test(left.value(scope), scope.now)
            scope.until = min(scope.until, until)
            return answer

        return _Asked(holds, lambda scope, wanted: left.explain(scope))

    def _timeless(self, comparison: ast.Compare, plan: Plan, outer: Plan | None) -> _Asked:
        comparison = replace(comparison, left=self.outside.resolved(comparison.left))
        left = self._scalar(comparison.left, plan, outer)
        found = [self._scalar(argument, plan, outer) for argument in comparison.arguments]
        dated = comparison.operator in FIXED_DATES or any(item.kind.instant for item in (left, *found))
        arguments = [
            _constant(argument, dated=True) if dated and read.kind.literal else read
            for argument, read in zip(comparison.arguments, found, strict=True)
        ]
        test = compile_timeless(comparison, left.kind, [item.kind for item in arguments])

        def explain(scope: Scope, wanted: bool) -> Witness:
            counted = set() if bounds_from_above(comparison, wanted) else left.explain(scope)
            return counted.union(*(item.explain(scope) for item in arguments))

        return _Asked(lambda scope: test(left.value(scope), [item.value(scope) for item in arguments]), explain)

    # --- scalars -------------------------------------------------------------------------------------------------

    def _scalar(self, scalar: ast.Scalar, plan: Plan, outer: Plan | None) -> _Read:
        if isinstance(scalar, ast.Field):
            return _field(scalar, plan, outer)
        if isinstance(scalar, ast.Literal | ast.Instant):
            return _constant(scalar, dated=False)
        if is_profile_scalar(scalar):
            node, kind = self.outside.scalar(scalar)
            self.inputs.append(node)
            return _Read(
                lambda scope: node.value(scope.state), lambda scope: node.witness(scope.state, scope.now), kind
            )
        if not isinstance(scalar, ast.Reduced):
            raise TypeError(f"{type(scalar).__name__} has no meaning inside a where")
        return self._nested(scalar, plan)

    def _nested(self, reduced: ast.Reduced, plan: Plan) -> _Read:
        nested = self.plan(reduced.stream, plan)
        of_parent = reduced.field is not None and reduced.field.parent
        slot = self.operand_slot(plan if of_parent else nested, reduced)
        running = accumulator(reduced, endless=True)

        def entries(scope: Scope) -> list[Candidate]:
            children = matching(nested, scope)
            if slot is None:
                return children
            if of_parent:
                value = scope.event[2][slot]
                return [] if value is None else [(c[0], c[1], value) for c in children]
            return [(c[0], c[1], c[2][slot]) for c in children if c[2][slot] is not None]

        def explain(scope: Scope) -> Witness:
            chosen = {entry[:2] for entry in running.deciding(entries(scope))}
            if nested.explain is not None:
                for child in matching(nested, scope):
                    if child[:2] in chosen:
                        former = scope.enter(child)
                        chosen = chosen | nested.explain(scope)
                        scope.leave(former)
            return chosen

        return _Read(lambda scope: running.reduce(entries(scope)), explain, Kind(instant=is_instant(reduced.reducer)))


def _bind_to_parent(plan: Plan, outer: Plan) -> None:
    """Sets the time range around a parent in which a child can concern it, and how long that can matter."""
    plan.retained = plan.end
    windows = [item for item in plan.stream.filters if isinstance(item, ast.ParentWindow)]
    if windows:
        plan.nearest = max(window.start for window in windows)
        plan.farthest = min(window.end for window in windows)
        plan.excludes_parent = any(window.excludes_parent for window in windows)
        # A parent is no younger than its children, so it stops counting before a child grows older than it may.
        plan.retained = min(plan.end, outer.retained)


def _slot(plan: Plan, field: ast.Field) -> int:
    key = f"{field.source} {field.path}"
    if key not in plan.slots:
        read = field_reader(ast.Field(field.source, field.path))
        plan.slots[key] = len(plan.readers)
        plan.readers.append((lambda view: Many(read(view))) if is_many(field.path) else read)
    return plan.slots[key]


def _field(field: ast.Field, plan: Plan, outer: Plan | None) -> _Read:
    kind = Kind(many=is_many(field.path))
    if not field.parent:
        own = _slot(plan, field)
        return _Read(lambda scope: scope.event[2][own], _nothing, kind)
    if outer is None:
        raise TypeError("parent: has no meaning in an outermost where")
    slot = _slot(outer, field)
    return _Read(lambda scope: scope.parent[2][slot], _nothing, kind)


def _constant(scalar: ast.Scalar, *, dated: bool) -> _Read:
    value = constant(scalar, dated=dated)
    return _Read(lambda _: value, _nothing, Kind(instant=dated, literal=not dated))


def _junction(items: list[_Asked], *, every: bool) -> _Asked:
    def explain(scope: Scope, wanted: bool) -> Witness:
        decisive = (item for item in items if every is wanted or item.holds(scope) is wanted)
        return set().union(*(item.explain(scope, wanted) for item in decisive))

    if every:
        return _Asked(lambda scope: all(item.holds(scope) for item in items), explain)
    return _Asked(lambda scope: any(item.holds(scope) for item in items), explain)
