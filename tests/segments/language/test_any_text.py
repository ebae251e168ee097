"""Whatever is in a file, its author gets errors with places in it, never a crash."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import DefinitionErrors
from transforms.segments.language.definition_files import SEGMENT_KEYS
from transforms.segments.language.definitions import load_definitions
from transforms.segments.language.functions import FUNCTIONS, SYMBOLS
from transforms.segments.language.parser import parse_condition, parse_scalar

WORDS = [
    *(f"{name}(" for name in FUNCTIONS),
    *SYMBOLS,
    *") . , ( ' \" -- \n : AND OR NOT ANY as true 5 days 1.5 2027-01-31".split(" "),
    *"parent: 'x' event('A') trait('x') .count() >= 1".split(" "),
]
rules = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join) | st.text(max_size=30)
values = st.one_of(
    rules, st.sampled_from(["[a]", "> \n  x", "|\n\n", "{a: b}", "'", "&a *a", "2027-01-01", "1 day", "no", "~"])
)
files = st.lists(st.tuples(st.sampled_from([*SEGMENT_KEYS, "other"]), values), max_size=4).map(
    lambda pairs: "\n".join(f"{key}: {value}" for key, value in pairs)
)


def check_places(errors: DefinitionErrors, text: str) -> None:
    lines = text.split("\n")
    assert errors.problems
    for problem in errors.problems:
        assert 1 <= problem.position.line <= len(lines)
        assert 1 <= problem.position.column <= len(lines[problem.position.line - 1]) + 1
        assert problem.message


@given(rules)
def test_any_rule(text: str) -> None:
    for parse in (parse_condition, parse_scalar):
        try:
            parse(text)
        except DefinitionErrors as errors:
            check_places(errors, text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files)
def test_any_file(folders: Path, text: str) -> None:
    path = folders / "segments" / "s.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    try:
        load_definitions("segments", "traits")
    except DefinitionErrors as errors:
        check_places(errors, path.read_text(encoding="utf-8"))


@pytest.mark.usefixtures("folders")
def test_a_file_that_nests_too_deeply() -> None:
    Path("segments/s.yaml").write_text("when: " + "[" * 5000)
    with pytest.raises(DefinitionErrors, match=r"s\.yaml:1:1: YAML: the file nests too deeply"):
        load_definitions("segments")
