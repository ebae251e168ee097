"""Both evaluators agree with the brute-force reference, row for row, on generated rules and histories.

TIDEMARK_CASES sets how many seeded cases are tried; `python -m tests.laws.fuzz` tries more, and makes them small.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings

from tests.laws.agreement import describe, differs
from tests.laws.fuzz import failing_seeds, report
from tests.strategies.cases import Case, cases

CASES = int(os.environ.get("TIDEMARK_CASES", "600"))
LONG_CASES = int(os.environ.get("TIDEMARK_CASES", "20000"))
PARTS = 6


@pytest.mark.parametrize("part", range(PARTS))
def test_both_agree_with_the_reference_on_seeded_cases(part: int) -> None:
    check(part, CASES)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_both_agree_with_the_reference_on_thousands_of_seeded_cases(part: int) -> None:
    check(part, LONG_CASES)


def check(part: int, total: int) -> None:
    failing = failing_seeds(part * total // PARTS, (part + 1) * total // PARTS)
    assert not failing, f"{len(failing)} cases differ\n{report(failing[0])}"


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(cases())
def test_both_agree_with_the_reference_on_cases_that_shrink(case: Case) -> None:
    assert not differs(case), "\n" + describe(case)
