"""Which names in `trait('NAME')` are computed traits or segments, and in which order definitions build on others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeVar

from schemas.errors import Problem
from transforms.segments.language import ast
from transforms.segments.language.errors import SourceFile, closest
from transforms.segments.language.walk import rewrite, walk

_Tree = TypeVar("_Tree", bound=ast.Condition | ast.Scalar)
_PREFIX = "segments."


def resolve_names(
    tree: _Tree, segments: Iterable[str], traits: Iterable[str], inside: tuple[Iterable[str], Iterable[str]] = ((), ())
) -> _Tree:
    """The tree with `trait('NAME')` made a `ComputedTrait` or a `Membership` where such a definition exists.

    `inside`: segments and traits of people, which the rules inside ANY and ALL of an account's definition name.
    """
    known_segments, known_traits = frozenset(segments), frozenset(traits)
    known_inside = frozenset(inside[0]), frozenset(inside[1])

    def change(node: Any) -> Any:
        if not isinstance(node, ast.Trait):
            return node
        if node.path in known_traits:
            return ast.ComputedTrait(node.path, node.position)
        name = node.path.removeprefix(_PREFIX)
        if name in known_segments:
            return ast.Membership(name, node.position)
        return node

    def quantified(node: Any) -> Any:
        return replace(node, item=resolve_names(node.item, *known_inside))

    return rewrite(tree, change, {ast.Quantified: quantified})


def unknown_segments(tree: ast.Condition | ast.Scalar, segments: Iterable[str], source: SourceFile) -> list[Problem]:
    """Errors: `trait('segments.NAME')` where no segment has that name. The tree is resolved."""
    names = sorted(segments)
    return [
        source.problem(
            node.position,
            f"there is no segment '{node.path.removeprefix(_PREFIX)}'",
            "the name of a file in the segments directory",
            closest(node.path.removeprefix(_PREFIX), names),
        )
        for node, _ in walk(tree)
        if isinstance(node, ast.Trait) and node.path.startswith(_PREFIX)
    ]


def references(tree: ast.Condition | ast.Scalar) -> dict[str, ast.Position]:
    """The definitions that a resolved tree refers to, with the first place where it does."""
    found: dict[str, ast.Position] = {}
    for node, _ in walk(tree):
        if isinstance(node, ast.ComputedTrait | ast.Membership):
            found.setdefault(node.name, node.position)
    return found


def dependency_order(graph: Mapping[str, Iterable[str]]) -> tuple[list[str], list[list[str]]]:
    """Names so that what is referred to comes first, and the cycles that were found on the way.

    Args:
        graph: name -> names that it refers to; all of them keys.

    Returns:
        The order (of those that are in no reported cycle) and the cycles, each starting at its least name.
    """
    left = {name: sorted(graph[name]) for name in sorted(graph)}
    cycles: list[list[str]] = []
    while True:
        try:
            return list(TopologicalSorter(left).static_order()), cycles
        except CycleError as error:
            # graphlib lists a cycle against the direction of reference, its first node repeated at the end.
            cycle = list(reversed(error.args[1]))[:-1]
            start = cycle.index(min(cycle))
            cycles.append(cycle[start:] + cycle[:start])
            for name in cycle:
                left.pop(name)
            left = {name: [other for other in others if other in left] for name, others in left.items()}


def needed_definitions(definitions: ast.Definitions, names: frozenset[str]) -> ast.Definitions:
    """The definitions of these names and those that they refer to, in order."""
    trees = trees_of(definitions)
    needed, waiting = set[str](), list(names)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            tree = trees.get(name)
            waiting += references(tree) if tree is not None else ()
    return ast.Definitions(
        tuple(segment for segment in definitions.segments if segment.name in needed),
        tuple(trait for trait in definitions.traits if trait.name in needed),
    )


def trees_of(definitions: ast.Definitions) -> dict[str, ast.Condition | ast.Scalar | None]:
    """The rule or value of each definition, by its name."""
    trees: dict[str, ast.Condition | ast.Scalar | None] = {trait.name: trait.value for trait in definitions.traits}
    return trees | {segment.name: segment.when for segment in definitions.segments}
