"""Conditions over nodes: one generated Python function per rule, and the events that made it what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from transforms.segments.nodes.node import Node, Witness
from transforms.segments.nodes.state import State

Holds = Callable[[Any], bool]
"""`f(state.values.get) -> bool`."""


@dataclass(frozen=True)
class Leaf:
    """A node whose value is true or false."""

    node: Node

    def source(self) -> str:
        return f"v({self.node.id},{bool(self.node.default)})"

    def nodes(self) -> list[Node]:
        return [self.node]

    def default(self) -> bool:
        return bool(self.node.default)

    def witness(self, state: State, now: int, wanted: bool) -> Witness:
        return self.node.witness(state, now)


@dataclass(frozen=True)
class Negation:
    """NOT."""

    item: Expression

    def source(self) -> str:
        return f"(not {self.item.source()})"

    def nodes(self) -> list[Node]:
        return self.item.nodes()

    def default(self) -> bool:
        return not self.item.default()

    def witness(self, state: State, now: int, wanted: bool) -> Witness:
        return self.item.witness(state, now, not wanted)


@dataclass(frozen=True)
class Junction:
    """AND (`every`) or OR."""

    items: tuple[Expression, ...]
    every: bool

    def source(self) -> str:
        return "(" + (" and " if self.every else " or ").join(item.source() for item in self.items) + ")"

    def nodes(self) -> list[Node]:
        return [node for item in self.items for node in item.nodes()]

    def default(self) -> bool:
        return (all if self.every else any)(item.default() for item in self.items)

    def witness(self, state: State, now: int, wanted: bool) -> Witness:
        # An AND that holds owes it to every item, one that does not to its false items; an OR the other way round.
        decisive = (
            item for item in self.items if self.every is wanted or compile_expression(item)(state.values.get) is wanted
        )
        return set().union(*(item.witness(state, now, wanted) for item in decisive))


Expression = Leaf | Negation | Junction


@lru_cache(maxsize=4096)
def compile_expression(expression: Expression) -> Holds:
    """The condition as one Python function: three times as fast as a walk over its parts.

    The source holds nothing but node numbers, `True`, `False`, `and`, `or` and `not`.
    """
    # Named, though there is no such module: of a function without one, pickling asks every module that is loaded.
    names = {"__builtins__": {}, "__name__": f"{__name__}.generated"}
    holds: Holds = eval(f"lambda v: {expression.source()}", names)  # noqa: S307
    return holds


class ConditionNode(Node):
    """A condition of the profile that other nodes read (inside a `where`)."""

    def __init__(self, expression: Expression) -> None:
        super().__init__()
        self.expression = expression
        self.holds = compile_expression(expression)
        self.default = expression.default()

    def update(self, state: State, now: int) -> bool:
        return self.set(state, self.holds(state.values.get))

    def witness(self, state: State, now: int) -> Witness:
        return self.expression.witness(state, now, bool(self.value(state)))
