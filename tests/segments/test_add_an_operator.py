"""CONTRIBUTING's recipe "Add an operator", followed: one row of a reducer is all that the rest needs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from transforms.explain.words import subject_words
from transforms.segments import reducers
from transforms.segments.accumulators.accumulator import Accumulator
from transforms.segments.language import ast, functions
from transforms.segments.language.check import type_of
from transforms.segments.language.cost import describe_cost
from transforms.segments.language.format import format_scalar
from transforms.segments.language.kinds import Type
from transforms.segments.language.parser import parse_scalar

ROOT = Path(__file__).parents[2]
RECIPE = re.search(r"### Add an operator.*?(?=\n### )", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)


class Pairs(Accumulator):
    """How many pairs of events."""

    def value(self, active: object, sums: list[int]) -> int:
        return sums[0] * (sums[0] - 1) // 2


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> reducers.Reducer:
    row = replace(reducers.REDUCERS["count"], name="pairs", usage="pairs()", running=Pairs, words="pairs of {stream}")
    monkeypatch.setitem(reducers.REDUCERS, "pairs", row)
    monkeypatch.setitem(functions.FUNCTIONS, "pairs", row)
    return row


def test_one_row_makes_a_reducer(pairs: reducers.Reducer) -> None:
    text = "event('A').within(1 day).pairs()"
    reduced = parse_scalar(text)
    assert isinstance(reduced, ast.Reduced)
    assert format_scalar(reduced) == text
    assert type_of(reduced, {}) is Type.NUMBER
    assert subject_words(reduced) == "pairs of 'A' in the last 1 day"
    assert describe_cost(ast.TraitDefinition("t", "", reduced)).retention_us == 86_400_000_000
    entries = [(n, f"m{n}", ()) for n in range(4)]
    assert reducers.compile_reducer(reduced)(entries) == 6
    assert reducers.default_value("pairs") == 0


def test_the_recipe_names_files_that_exist() -> None:
    assert RECIPE is not None
    named = re.findall(r"`((?:transforms|tests)/[\w/]+\.py)`", RECIPE[0])
    assert len(named) >= 4
    for name in named:
        assert (ROOT / name).is_file(), name


def test_no_other_file_lists_reducers() -> None:
    """A second table of them would have to be known to whoever adds one."""
    names = [name for name in reducers.REDUCERS if name not in ("count", "first", "last", "unique")]
    for file in (ROOT / "transforms").rglob("*.py"):
        if file.name != "reducers.py" and "accumulators" not in file.parts:
            found = [name for name in names if re.search(rf'"{name}"', file.read_text())]
            assert found in ([], ["unique_count"]), f"{file}: {found}"
