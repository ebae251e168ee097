"""Definitions -> `Program`. What two rules have in common is compiled, kept and evaluated once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

from transforms.segments.comparisons import Kind, compile_relative, compile_timeless, is_relative
from transforms.segments.event_conditions import compile_event_condition, compile_operand
from transforms.segments.expressions import ConditionNode, Expression, Junction, Leaf, Negation, compile_expression
from transforms.segments.filters import conjuncts, is_event_condition, window_of
from transforms.segments.funnels import compiler as funnel_compiler
from transforms.segments.funnels.funnel import FunnelNode
from transforms.segments.funnels.thresholds import FunnelThresholdNode
from transforms.segments.language import ast
from transforms.segments.language.columns import COLUMNS
from transforms.segments.language.kinds import Type
from transforms.segments.membership import SegmentNode
from transforms.segments.mentions import Reader
from transforms.segments.nodes.node import (
    ColumnNode,
    CompareNode,
    Constant,
    HeldNode,
    Node,
    PercentNode,
    RelativeDateNode,
    TraitNode,
)
from transforms.segments.nodes.quantifier import QuantifierNode, quantifier_name
from transforms.segments.nodes.state import MEMBER
from transforms.segments.nodes.streams import Selection, StreamNode, ThresholdNode
from transforms.segments.operators import FIXED_DATES, ORDERINGS
from transforms.segments.program import Program, Route, node_name, percent_bucket
from transforms.segments.reducers import is_instant
from transforms.segments.values import as_instant, is_many


@lru_cache(maxsize=4)
def compile_program(definitions: ast.Definitions) -> Program:
    """Compiles checked definitions (references resolved, what is referred to first): those of people.

    A process compiles a set once, however many stages and bundles ask for it.
    """
    return _Compiler(definitions.about("users")).compile()


def compile_account_rules(definitions: ast.Definitions) -> Program:
    """Compiles those of accounts. What ANY and ALL ask of each user is told to the program as events of type `member`,
    by the name of the quantifier (`quantifier_name`).
    """
    return _Compiler(definitions.about("accounts")).compile()


class _Compiler:
    """Builds nodes bottom-up; `shared` finds the node of an expression that is there already."""

    def __init__(self, definitions: ast.Definitions) -> None:
        self.program = Program(definitions)
        self.traits = {trait.name: trait for trait in definitions.traits}
        self.segments: dict[str, SegmentNode] = {}
        # By what the syntax tree prints: trees that are equal may differ in 1 and True.
        self.shared: dict[str, Node] = {}
        self.routes: dict[tuple[str, str | None], list[tuple[Node, int]]] = {}
        self.reader = Reader(definitions)

    def compile(self) -> Program:
        program = self.program
        for segment in program.definitions.segments:
            self._segment(segment)
        for trait in program.definitions.traits:
            node, kind = self.scalar(trait.value)
            program.computed[trait.name] = (node, kind.instant)
        program.type_routes, program.routes = self._routes()
        fields: dict[str, list[Node]] = {}
        for node in program.nodes:
            for field in node.fields if isinstance(node, TraitNode) else ():
                fields.setdefault(field, []).append(node)
        program.trait_nodes = {field: tuple(nodes) for field, nodes in fields.items()}
        for column in (node for node in program.nodes if isinstance(node, ColumnNode)):
            program.column_nodes[column.column] = (column,)
        reads = self._reads()
        program.reads = {name: reads[node.id] for name, node in self.segments.items()}
        program.computed_reads = {name: reads[node.id] for name, (node, _) in program.computed.items()}
        for key, shared in self.shared.items():
            shared.name = node_name(key)
        program.by_name = {node.name: node for node in program.nodes if node.name}
        program.shape = node_name(repr(sorted(program.by_name))).hex()
        program.initial = tuple(node.id for node in program.nodes if self._starts_true(node))
        for segment_node in program.segments:
            for user in segment_node.definition.members or ():
                key = f"user:{user}"
                program.static_members[key] = (*program.static_members.get(key, ()), segment_node.id)
        return program

    # --- nodes ---------------------------------------------------------------------------------------------------

    def add(self, node: Node, inputs: Sequence[Node] = ()) -> Node:
        """Numbers a node and makes it a dependent of what it reads."""
        node.id = len(self.program.nodes)
        self.program.nodes.append(node)
        for item in dict.fromkeys(inputs):
            item.dependents.append(node.id)
        return node

    def route(self, stream: ast.Stream, node: Node, role: int) -> None:
        for kind in stream.types():
            self.routes.setdefault((kind, stream.name), []).append((node, role))

    def _routes(self) -> tuple[dict[str, Route], dict[tuple[str, str], Route]]:
        """By type for streams without a name, and by type and name, those of the type included."""
        of_type = {kind: route for (kind, name), route in self.routes.items() if name is None}
        named = {
            (kind, name): tuple(sorted(route + of_type.get(kind, []), key=lambda taken: (taken[0].id, taken[1])))
            for (kind, name), route in self.routes.items()
            if name is not None
        }
        return {kind: tuple(route) for kind, route in of_type.items()}, named

    def _reads(self) -> list[frozenset[int]]:
        """For each node, itself and all that it reads, near and far; readers have greater numbers."""
        reads = [{node.id} for node in self.program.nodes]
        for node in self.program.nodes:
            for dependent in node.dependents:
                reads[dependent] |= reads[node.id]
        return [frozenset(found) for found in reads]

    def _segment(self, definition: ast.SegmentDefinition) -> None:
        expression: Expression = Junction((), every=False)
        if definition.when is not None:
            expression = self.condition(definition.when)
        node = SegmentNode(
            definition,
            compile_expression(expression) if definition.when is not None else lambda _: False,
            expression.nodes(),
            lambda state, now: expression.witness(state, now, True),
            self.reader.mentions(definition.when),
            starts_true=definition.when is not None and True in _outcomes(expression),
        )
        self.add(node, expression.nodes())
        node.name = node_name(f"segment {definition.name} {definition.version}")
        self.program.segments.append(node)
        self.segments[definition.name] = node

    @staticmethod
    def _starts_true(node: Node) -> bool:
        if isinstance(node, SegmentNode):
            return node.starts_true
        if isinstance(node, HeldNode):
            return bool(node.comparison.default)
        return isinstance(node, PercentNode) or (isinstance(node, RelativeDateNode) and isinstance(node.left, Constant))

    # --- conditions ----------------------------------------------------------------------------------------------

    def condition(self, condition: ast.Condition) -> Expression:
        """A condition of the profile, over nodes."""
        if isinstance(condition, ast.And | ast.Or):
            items = tuple(self.condition(item) for item in condition.items)
            return Junction(items, every=isinstance(condition, ast.And))
        if isinstance(condition, ast.Not):
            return Negation(self.condition(condition.item))
        if isinstance(condition, ast.HeldFor):
            return Leaf(self._held(condition))
        if isinstance(condition, ast.Quantified):
            return Leaf(self._quantifier(condition))
        return self._compare(condition)

    def _quantifier(self, quantified: ast.Quantified) -> Node:
        key = repr(quantified)
        if key not in self.shared:
            node = self.shared[key] = self.add(QuantifierNode(quantified.every))
            self.routes.setdefault((MEMBER, quantifier_name(quantified.item)), []).append((node, 0))
        return self.shared[key]

    def condition_node(self, condition: ast.Condition) -> Node:
        """The same as one node, for a `where` to read."""
        expression = self.condition(condition)
        if isinstance(expression, Leaf):
            return expression.node
        key = f"condition {condition!r}"
        if key not in self.shared:
            self.shared[key] = self.add(ConditionNode(expression), expression.nodes())
        return self.shared[key]

    def _held(self, held: ast.HeldFor) -> Node:
        key = repr(held)
        if key not in self.shared:
            comparison = self.condition_node(held.comparison)
            self.shared[key] = self.add(HeldNode(comparison, held.duration), (comparison,))
        return self.shared[key]

    def _compare(self, comparison: ast.Compare) -> Expression:
        comparison = replace(comparison, left=self.resolved(comparison.left))
        threshold = self._threshold(comparison)
        if threshold is not None:
            return threshold
        key = repr(comparison)
        if key not in self.shared:
            self.shared[key] = self._relative(comparison) if is_relative(comparison) else self._timeless(comparison)
        return Leaf(self.shared[key])

    def _relative(self, comparison: ast.Compare) -> Node:
        left, kind = self.scalar(comparison.left)
        return self.add(RelativeDateNode(left, compile_relative(comparison, kind)), (left,))

    def _timeless(self, comparison: ast.Compare) -> Node:
        left, left_kind = self.scalar(comparison.left)
        found = [self.scalar(argument) for argument in comparison.arguments]
        dated = comparison.operator in FIXED_DATES or left_kind.instant or any(kind.instant for _, kind in found)
        arguments = [
            _date_constant(argument, pair, dated) for argument, pair in zip(comparison.arguments, found, strict=True)
        ]
        test = compile_timeless(comparison, left_kind, [kind for _, kind in arguments])
        nodes = [node for node, _ in arguments]
        return self.add(CompareNode(comparison, test, left, nodes), (left, *nodes))

    def _threshold(self, comparison: ast.Compare) -> Expression | None:
        """`count()` against a plain number: a node that counts no further than it must."""
        found = count_threshold(comparison)
        if found is None:
            return None
        left, least, denied = found
        key = f"{left.stream!r} >= {least}"
        if key not in self.shared:
            self.shared[key] = self._at_least(left, least)
        leaf = Leaf(self.shared[key])
        return Negation(leaf) if denied else leaf

    def _at_least(self, counted: ast.Reduced, least: int) -> Node:
        if not self._is_static(counted.stream):
            return self._funnel(counted, lambda *parts: FunnelThresholdNode(*parts).at_least(least))
        node = self.add(ThresholdNode(self._selection(counted), least))
        self.route(counted.stream, node, 0)
        return node

    # --- scalars -------------------------------------------------------------------------------------------------

    def scalar(self, scalar: ast.Scalar) -> tuple[Node, Kind]:
        """The node of a scalar outside any `where`, and what is known of its values."""
        scalar = self.resolved(scalar)
        if isinstance(scalar, ast.Membership):
            return self.segments[scalar.name], Kind()
        key = repr(scalar)
        if key not in self.shared:
            self.shared[key] = self._reduced(scalar) if isinstance(scalar, ast.Reduced) else self.add(_simple(scalar))
        return self.shared[key], kind_of(scalar)

    def resolved(self, scalar: ast.Scalar) -> ast.Scalar:
        """A computed trait's expression; any other scalar as it is."""
        while isinstance(scalar, ast.ComputedTrait):
            scalar = self.traits[scalar.name].value
        return scalar

    def _reduced(self, reduced: ast.Reduced) -> Node:
        if not self._is_static(reduced.stream):
            return self._funnel(reduced, FunnelNode)
        static = self.add(StreamNode(reduced, self._selection(reduced)))
        self.route(reduced.stream, static, 0)
        return static

    def _funnel(self, reduced: ast.Reduced, make: Callable[..., FunnelNode]) -> Node:
        node, streams = funnel_compiler.compile_funnel(self, reduced, make)
        self.add(node, node.inputs)
        for role, stream in enumerate(streams):
            self.route(stream, node, role)
        return node

    @staticmethod
    def _is_static(stream: ast.Stream) -> bool:
        return all(is_event_condition(condition) for condition in conjuncts(stream))

    @staticmethod
    def _selection(reduced: ast.Reduced) -> Selection:
        start, end = window_of(reduced.stream)
        return Selection(compile_event_condition(conjuncts(reduced.stream)), compile_operand(reduced), start, end)


def count_threshold(comparison: ast.Compare) -> tuple[ast.Reduced, int, bool] | None:
    """`count()` against a plain number, as (what is counted, n, denied): count >= n, n > 0, or its denial."""
    left, arguments = comparison.left, comparison.arguments
    if not (isinstance(left, ast.Reduced) and left.reducer == "count" and len(arguments) == 1):
        return None
    number = arguments[0].value if isinstance(arguments[0], ast.Literal) else None
    if type(number) not in (int, float):
        return None
    found = _least(comparison.operator, number)  # type: ignore[arg-type]
    return None if found is None or found[0] <= 0 else (left, *found)


def _least(operator: str, number: int | float) -> tuple[int, bool] | None:
    """`count operator number` as (n, denied): count >= n, or its denial."""
    if operator in ORDERINGS:
        strict = operator in ("greater_than", "at_most")
        return (math.floor(number) + 1 if strict else math.ceil(number)), operator in ("less_than", "at_most")
    if number == 0 and operator in ("equals", "differs"):
        return 1, operator == "equals"
    return None


def _simple(scalar: ast.Scalar) -> Node:
    if isinstance(scalar, ast.Trait):
        return TraitNode(scalar.path)
    if isinstance(scalar, ast.Column):
        return ColumnNode(scalar.name)
    if isinstance(scalar, ast.Percent):
        return PercentNode(scalar.salt, percent_bucket)
    if isinstance(scalar, ast.Instant):
        return Constant(scalar.text)
    if isinstance(scalar, ast.Literal):
        return Constant(scalar.value)
    raise TypeError(f"{type(scalar).__name__} has no meaning outside a where")


def kind_of(scalar: ast.Scalar) -> Kind:
    """What a comparison has to know of a side of it."""
    if isinstance(scalar, ast.Trait):
        return Kind(many=is_many(scalar.path))
    if isinstance(scalar, ast.Column):
        return Kind(instant=COLUMNS[scalar.name] is Type.INSTANT)
    if isinstance(scalar, ast.Reduced):
        return Kind(instant=is_instant(scalar.reducer))
    return Kind(literal=isinstance(scalar, ast.Literal | ast.Instant))


def _date_constant(argument: ast.Scalar, pair: tuple[Node, Kind], dated: bool) -> tuple[Node, Kind]:
    """In a comparison of dates a literal is read once, here."""
    if dated and isinstance(argument, ast.Instant):
        return Constant(argument.microseconds), Kind(instant=True)
    if dated and isinstance(argument, ast.Literal):
        return Constant(as_instant(argument.value)), Kind(instant=True)
    return pair


def _outcomes(expression: Expression) -> set[bool]:
    """What the expression may be of a profile without events (what depends on its id or on segments may be either)."""
    if isinstance(expression, Leaf):
        node = expression.node
        unknown = isinstance(node, CompareNode) and any(
            isinstance(n, PercentNode) for n in (node.left, *node.arguments)
        )
        return {True, False} if unknown or isinstance(node, SegmentNode | HeldNode) else {expression.default()}
    if isinstance(expression, Negation):
        return {not outcome for outcome in _outcomes(expression.item)}
    outcomes = [_outcomes(item) for item in expression.items]
    decided = {expression.every} if all(expression.every in outcome for outcome in outcomes) else set()
    return decided | {outcome for item in outcomes for outcome in item if outcome is not expression.every}
