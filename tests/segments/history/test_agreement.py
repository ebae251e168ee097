"""The columnar evaluator says what `replay` says, of generated rules and of several profiles at once.

`python -m tests.segments.history.fuzz` tries more. TIDEMARK_CASES sets how many worlds the long test tries.
"""

from __future__ import annotations

import importlib
import os

import pytest

from tests.segments.history.fuzz import KINDS, failures

WORLDS = {"all": 150, "funnels": 40}
LINE_ENDS = {"all": 1 << 58, "funnels": 1 << 39}
"""As little as holds one profile: dates of the year 9999 are far away."""
LONG_WORLDS = int(os.environ.get("TIDEMARK_CASES", "20000"))
MODULES = [
    importlib.import_module(f"transforms.segments.history.{name}")
    for name in ("scope", "counting", "world", "evaluate", "timeline")
]


@pytest.mark.parametrize("kind", KINDS)
def test_columns_agree_with_replay(kind: str) -> None:
    check(kind, 0, WORLDS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_columns_agree_where_little_fits_on_a_line_or_into_one_go(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in MODULES:
        for name, small in (("LINE_END", LINE_ENDS[kind]), ("MOST_PAIRS", 2), ("MOST_AT_ONCE", 2)):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, small)
    check(kind, WORLDS[kind], WORLDS[kind] * 2)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_columns_agree_with_replay_on_thousands_of_worlds(kind: str) -> None:
    check(kind, 0, LONG_WORLDS)


def check(kind: str, first: int, last: int) -> None:
    failing = failures(kind, first, last)
    assert not failing, f"{len(failing)} worlds differ, seeds {[seed for seed, _ in failing]}\n{failing[0][1]}"
