"""docs/segments.md tells everything, and every example in it is right."""

import re
from pathlib import Path

import pytest
import yaml

from schemas.errors import DefinitionErrors, Problem
from transforms.segments.language.check import check
from transforms.segments.language.definition_files import SEGMENT_KEYS, TRAIT_KEYS, read_segment, read_trait
from transforms.segments.language.errors import SourceFile
from transforms.segments.language.functions import COMPARATORS, FUNCTIONS
from transforms.segments.language.literals import UNITS
from transforms.segments.language.parser import parse_condition

PAGE = (Path(__file__).parents[3] / "docs/segments.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ROWS = [row for row in re.findall(r"^\| (.*) \|$", PAGE, re.MULTILINE) if not row.startswith("---")]
TABLE_EXAMPLES = [code for row in ROWS for code in re.findall(r"`([^`]+)`$", row) if re.match(r"\w+\('", code)]
TEXT_EXAMPLES = re.findall(
    r"`((?:NOT |event\(|trait\()[^`]* [=<>!]+ [^`]*)`", re.sub(r"^\|.*$", "", PAGE, flags=re.MULTILINE)
)
RULES = [text for kind, text in BLOCKS if not kind]


@pytest.mark.parametrize("rule", [*RULES, *TABLE_EXAMPLES, *TEXT_EXAMPLES])
def test_every_rule_is_right(rule: str) -> None:
    rule = rule.replace("trait('segments.NAME')", "trait('vip')")
    assert check(parse_condition(rule), SourceFile("docs", rule), {}) == []


def test_examples_were_found() -> None:
    assert len(RULES) >= 6
    assert len(TABLE_EXAMPLES) >= len(FUNCTIONS)
    assert len(TEXT_EXAMPLES) >= 4


@pytest.mark.parametrize("text", [text for kind, text in BLOCKS if kind == "yaml"])
def test_every_file_is_right(text: str) -> None:
    read = read_trait if "value" in yaml.safe_load(text) else read_segment
    assert read(SourceFile("segments/example.yaml", text)).name == "example"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_a_row_and_an_example(name: str) -> None:
    described = [row for row in ROWS if row.startswith(f"`{name}(")]
    assert described, f"{name} has no row"
    symbol = COMPARATORS[name].symbol if name in COMPARATORS else ""
    for row in described:
        example = row.rsplit("`", 2)[1]
        used = f"{name}(" in example or (symbol and f" {symbol} " in example)
        assert used or "|" not in row.split("`", 2)[2].strip(" |"), f"the example of {name} does not use it: {example}"


def test_every_key_unit_and_symbol_is_named() -> None:
    for key in (*SEGMENT_KEYS, *TRAIT_KEYS):
        assert re.search(rf"^\| `{key}` \|", PAGE, re.MULTILINE), key
    for unit in UNITS:
        assert re.search(rf"`\d+ {unit}s?`", PAGE), unit
    for comparator in COMPARATORS.values():
        assert not comparator.symbol or f"`{comparator.symbol}`" in PAGE


def test_the_error_is_what_one_sees() -> None:
    shown = next(text for kind, text in BLOCKS if kind == "text")
    file, line, column = re.match(r"(.*):(\d+):(\d+): ", shown).groups()  # type: ignore[union-attr]
    rule = shown.splitlines()[1][4:]
    text = "description: x\nwhen: >\n" + rule + "\n"
    with pytest.raises(DefinitionErrors) as caught:
        read_segment(SourceFile(file, text))
    (problem,) = caught.value.problems
    assert isinstance(problem, Problem)
    assert (str(problem.position.line), str(problem.position.column)) == (line, column)
    assert str(caught.value) + "\n" == shown
