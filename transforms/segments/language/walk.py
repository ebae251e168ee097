"""Visits and rewrites syntax trees."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar, cast

from transforms.segments.language import ast

Node = ast.Scalar | ast.Stream | ast.Condition | ast.Where | ast.Window | ast.ParentWindow
Enclosing = tuple[ast.Stream, ...]
Tree = TypeVar("Tree", bound=ast.Scalar | ast.Condition)


def walk(node: Node, streams: Enclosing = ()) -> Iterator[tuple[Node, Enclosing]]:
    """Every node from the root down, with the streams it is evaluated on, outermost first.

    The last of them is the event that `property('x')` reads, the one before that is its `parent`. A reducer's operand
    belongs to the stream that it reduces; a stream's windows belong to what encloses the stream.
    """
    yield node, streams
    if isinstance(node, ast.Reduced):
        yield from walk(node.stream, streams)
        if node.operand is not None:
            yield from walk(node.operand, (*streams, node.stream))
    elif isinstance(node, ast.Stream):
        for part in node.filters:
            if isinstance(part, ast.Where):
                yield part, streams
                yield from walk(part.condition, (*streams, node))
            else:
                yield part, streams
    else:
        for child in _children(node):
            yield from walk(child, streams)


def _children(node: Node) -> tuple[Node, ...]:
    if isinstance(node, ast.And | ast.Or):
        return node.items
    if isinstance(node, ast.Not | ast.Quantified):
        return (node.item,)
    if isinstance(node, ast.HeldFor):
        return (node.comparison,)
    if isinstance(node, ast.Compare):
        return (node.left, *node.arguments)
    return ()


def rewrite(
    tree: Tree, change: Callable[[Any], Any], whole: Mapping[type, Callable[[Any], Any]] = MappingProxyType({})
) -> Tree:
    """The tree with every node replaced by `change(node)`, from the leaves up.

    `whole`: what replaces nodes of a type with all that is in them.
    """
    return cast(Tree, _rewrite(tree, change, whole))


def _rewrite(value: Any, change: Callable[[Any], Any], whole: Mapping[type, Callable[[Any], Any]]) -> Any:
    if isinstance(value, tuple):
        return tuple(_rewrite(item, change, whole) for item in value)
    if type(value) in whole:
        return whole[type(value)](value)
    if not dataclasses.is_dataclass(value) or isinstance(value, ast.Position | type):
        return value
    parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    changed = {name: _rewrite(part, change, whole) for name, part in parts.items()}
    same = all(changed[name] is part for name, part in parts.items())
    return change(value if same else dataclasses.replace(value, **changed))
