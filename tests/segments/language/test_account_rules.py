"""Definitions of accounts: how ANY and ALL are read, what they mean by names, and where they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.errors import DefinitionErrors
from transforms.segments.language import ast
from transforms.segments.language.definitions import load_definitions, load_segment_file
from transforms.segments.language.format import format_condition
from transforms.segments.language.parser import parse_condition

VIEWED = "event('A').count() >= 1"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (f"ANY {VIEWED}", f"ANY({VIEWED})"),
        (f"all ({VIEWED})", f"ALL({VIEWED})"),
        (f"ANY {VIEWED} AND trait('x') = 1", f"ANY({VIEWED}) AND trait('x') = 1"),
        (f"ANY({VIEWED} OR trait('x') = 1)", f"ANY({VIEWED} OR trait('x') = 1)"),
        (f"NOT ANY {VIEWED}", f"NOT ANY({VIEWED})"),
        (f"ALL NOT {VIEWED}", f"ALL(NOT {VIEWED})"),
    ],
)
def test_prefixes_reach_to_the_next_and_or_or(text: str, read: str) -> None:
    condition = parse_condition(text)
    assert format_condition(condition) == read
    assert parse_condition(read) == condition


def rules(folder: Path, of: str = "accounts", **segments: str) -> Path:
    (folder / "segments").mkdir(exist_ok=True)
    for name, when in segments.items():
        (folder / "segments" / f"{name}.yaml").write_text(json.dumps({"of": of, "when": when}))
    return folder / "segments"


@pytest.mark.parametrize(
    ("of", "when", "message"),
    [
        ("users", f"ANY {VIEWED}", "ANY and ALL are about the users of an account"),
        ("accounts", f"ANY(ALL {VIEWED})", "ANY and ALL stand neither in a where() nor in one another"),
        (
            "accounts",
            f"event('B').where(ANY {VIEWED}).count() = 1",
            "ANY and ALL stand neither in a where() nor in one another",
        ),
        (
            "accounts",
            "profile('country') = 'US'",
            "an account has no columns; its traits are read by trait('NAME')",
        ),
        ("accounts", "trait('segments.vips') = true", "there is no segment 'vips'"),
    ],
)
def test_what_has_no_meaning(tmp_path: Path, of: str, when: str, message: str) -> None:
    with pytest.raises(DefinitionErrors) as caught:
        load_definitions(rules(tmp_path, of, s=when))
    assert [problem.message for problem in caught.value.problems] == [message]


def test_columns_of_people_are_read_inside(tmp_path: Path) -> None:
    folder = rules(tmp_path, s="ANY profile('country') = 'US'")
    assert load_definitions(folder).definitions.about("accounts").segments


def test_names_outside_are_accounts_and_inside_people(tmp_path: Path) -> None:
    rules(tmp_path, "users", vips="trait('vip') = true")
    folder = rules(tmp_path, big="trait('seats') > 10", s="trait('big') = true AND ANY trait('vips') = true")
    when = load_segment_file(folder / "s.yaml").segment.when
    assert isinstance(when, ast.And)
    outside, inside = when.items
    assert isinstance(outside, ast.Compare)
    assert isinstance(inside, ast.Quantified)
    assert isinstance(inside.item, ast.Compare)
    assert outside.left == ast.Membership("big")
    assert inside.item.left == ast.Membership("vips")


def test_a_segment_of_people_keeps_its_version(tmp_path: Path) -> None:
    """The key that says what is so anyway changes no definition's hash."""
    rules(tmp_path, "users", a=VIEWED)
    (tmp_path / "segments" / "b.yaml").write_text(json.dumps({"when": VIEWED}))
    versions = [segment.version for segment in load_definitions(tmp_path / "segments").definitions.segments]
    assert len(set(versions)) == 1
