"""The closed list and its documentation are the same list."""

from __future__ import annotations

import re
from pathlib import Path

from schemas import failure_reasons

ROOT = Path(__file__).parents[2]


def test_the_docs_have_one_row_for_each_reason() -> None:
    page = (ROOT / "docs" / "failed_events.md").read_text()
    table = page.split("\n## Reasons\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(failure_reasons.REASONS)


def test_every_reason_has_a_constant_and_a_meaning() -> None:
    constants = [value for name, value in vars(failure_reasons).items() if name.isupper() and isinstance(value, str)]
    assert constants == list(failure_reasons.REASONS)
    assert all(meaning.endswith(".") for meaning in failure_reasons.REASONS.values())
