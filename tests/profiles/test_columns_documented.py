"""docs/profiles.md names every column, every trait that it reads, and every value of an enum."""

import re
from pathlib import Path

import pytest

from transforms.profiles.normalize.columns import TRAIT_COLUMNS, TraitColumn
from transforms.profiles.normalize.enums import ENUMS

PAGE = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text()


def words_of_rows(column: str) -> list[set[str]]:
    """The words in code quotes of each table row that starts with the column."""
    rows = [line for line in PAGE.splitlines() if line.startswith(f"| `{column}` |")]
    return [set(re.findall(r"`([^`]+)`", row)) for row in rows]


@pytest.mark.parametrize("column", TRAIT_COLUMNS, ids=lambda column: column.name)
def test_spellings_are_documented(column: TraitColumn) -> None:
    documented = words_of_rows(column.name)[0]
    alike = {spelling.replace("e_mail", "email") for spelling in column.spellings}
    # "and these in `address`"
    either = {
        spelling for spelling in alike if spelling not in documented and spelling.split(".")[-1] not in documented
    }
    assert either == set()


@pytest.mark.parametrize("column", ENUMS)
def test_enum_values_are_documented(column: str) -> None:
    assert set(ENUMS[column]) <= words_of_rows(column)[1]
