"""What the generator writes down as text, the parser reads back as the same rule."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from tests.reference.instants import nodes
from tests.strategies import rule_text
from tests.strategies.cases import case
from tests.strategies.choices import seeded
from transforms.segments.language import ast
from transforms.segments.language.parser import parse_condition, parse_scalar


def as_parsed(node: Any) -> Any:
    """A tree as the parser gives it: names not yet resolved, junctions of one kind not nested."""
    if isinstance(node, tuple):
        return tuple(map(as_parsed, node))
    if isinstance(node, ast.ComputedTrait):
        return ast.Trait(node.name)
    if isinstance(node, ast.Membership):
        return ast.Trait(f"segments.{node.name}")
    if not is_dataclass(node) or isinstance(node, type):
        return node
    return replace(node, **{part.name: as_parsed(getattr(node, part.name)) for part in fields(node)})


def nests_alike(node: Any) -> bool:
    """Whether a junction directly holds one of its kind: parentheses that the parser may keep or drop."""
    junctions = [item for item in nodes(node) if isinstance(item, ast.And | ast.Or)]
    return any(type(part) is type(junction) for junction in junctions for part in junction.items)


@pytest.mark.parametrize("first", range(0, 300, 30))
def test_the_parser_reads_back_what_was_written(first: int) -> None:
    for seed in range(first, first + 30):
        definitions = case(seeded(seed)).definitions
        for segment in definitions.segments:
            if segment.when is not None and not nests_alike(segment.when):
                text = rule_text.condition(segment.when)
                assert parse_condition(text) == as_parsed(segment.when), text
        for trait in definitions.traits:
            text = rule_text.scalar(trait.value)
            assert parse_scalar(text) == as_parsed(trait.value), text
