"""What a rule costs: how long an event must be kept for it, and whether its state is bounded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from transforms.segments.language import ast
from transforms.segments.language.format import stream_name
from transforms.segments.language.literals import format_duration
from transforms.segments.language.walk import walk
from transforms.segments.reducers import REDUCERS


@dataclass(frozen=True, slots=True)
class RuleCost:
    """The cost of one segment or computed trait.

    `retention_us`: how long an event must be kept, in microseconds; 0 where a running value replaces the events, None
    where it must be kept for ever. `bounded`: whether the state per profile stops growing as time passes.
    """

    retention_us: int | None
    bounded: bool
    text: str


def describe_cost(definition: ast.SegmentDefinition | ast.TraitDefinition) -> RuleCost:
    """The cost of a definition's own text, without that of the definitions it refers to."""
    tree = definition.value if isinstance(definition, ast.TraitDefinition) else definition.when
    if tree is None:
        members = definition.members if isinstance(definition, ast.SegmentDefinition) else None
        return RuleCost(0, True, f"keeps no events: a list of {len(members or ())} users")
    costs = [_reduced_cost(node, None) for node in _outermost(tree)]
    if not costs:
        return RuleCost(0, True, "keeps no events: only current values")
    for worst in (cost for cost in costs if cost.retention_us is None):
        return worst
    for growing in (cost for cost in costs if not cost.bounded):
        return growing
    return max(costs, key=lambda cost: cost.retention_us or 0)


def _outermost(tree: ast.Condition | ast.Scalar | ast.Where) -> Iterable[ast.Reduced]:
    """The reduced streams that are inside no other."""
    root = tree.condition if isinstance(tree, ast.Where) else tree
    return [node for node, streams in walk(root) if isinstance(node, ast.Reduced) and not streams]


def _reduced_cost(reduced: ast.Reduced, parent_horizon: int | None, *, nested: bool = False) -> RuleCost:
    """The cost of one stream and of those in its filters. `parent_horizon`: how long the enclosing event is kept."""
    stream = reduced.stream
    own = _own_cost(reduced, parent_horizon, nested=nested)
    costs = [own]
    for part in stream.filters:
        if isinstance(part, ast.Where):
            costs += [_reduced_cost(inner, own.retention_us, nested=True) for inner in _outermost(part)]
    unbounded = [cost for cost in costs if cost.retention_us is None or not cost.bounded]
    return unbounded[0] if unbounded else max(costs, key=lambda cost: cost.retention_us or 0)


def _own_cost(reduced: ast.Reduced, parent_horizon: int | None, *, nested: bool) -> RuleCost:
    stream = reduced.stream
    ends = [part.end for part in stream.filters if isinstance(part, ast.Window)]
    if any(isinstance(part, ast.ParentWindow) for part in stream.filters) and parent_horizon is not None:
        # It comes after its parent, so it is needed no longer than that one.
        ends.append(parent_horizon)
    if ends:
        return RuleCost(min(ends), True, f"keeps {stream_name(stream)} events for {format_duration(min(ends))}")
    if _is_dynamic(reduced, nested=nested):
        text = f"keeps every {stream_name(stream)} event for ever: its where() can change, and no within() ends it"
        return RuleCost(None, False, text)
    if not REDUCERS[reduced.reducer].keeps_values:
        return RuleCost(0, True, f"keeps no events: a running {reduced.reducer} of {stream_name(stream)}")
    return RuleCost(0, False, f"keeps every different value of {stream_name(stream)} that {reduced.reducer} has seen")


def _is_dynamic(reduced: ast.Reduced, *, nested: bool) -> bool:
    """Whether which events count depends on more than each event by itself."""
    varying = ast.Trait | ast.Column | ast.ComputedTrait | ast.Membership | ast.HeldFor | ast.Reduced
    for part in reduced.stream.filters:
        if isinstance(part, ast.ParentWindow):
            return True
        if isinstance(part, ast.Where):
            for node, _ in walk(part.condition):
                if isinstance(node, varying) or (nested and isinstance(node, ast.Field) and node.parent):
                    return True
                if isinstance(node, ast.Compare) and node.operator in _RELATIVE_DATES:
                    return True
    return False


_RELATIVE_DATES = frozenset({"within_last", "within_next", "before_last", "after_next"})
