"""Events are a set: any order, any duplication and any split into files give the same tables, to the byte."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from schemas.tables import MEMBERSHIP_CHANGES, MEMBERSHIPS, TABLES
from tests.jobs.job import read_bytes, run_command
from tests.jobs.worlds import settings, spread, world, write_rules
from tests.strategies.choices import seeded

RUNS = int(os.environ.get("TIDEMARK_CASES", "2"))
LONG_RUNS = int(os.environ.get("TIDEMARK_CASES", "60"))
WORLDS = 60
VARIANTS = 3


@pytest.mark.parametrize("seed", range(RUNS))
def test_order_copies_and_files_change_nothing(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(seed, tmp_path, monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1000 + LONG_RUNS))
def test_order_copies_and_files_change_nothing_in_many_runs(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(seed, tmp_path, monkeypatch)


def check(seed: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choices, shuffle = seeded(seed), random.Random(seed)  # noqa: S311 - test data, no secret
    prefixes = [f"w{number:02}" for number in range(WORLDS)]
    lines = [line for prefix in prefixes for line in world(choices, prefix)]
    write_rules(folder, choices, prefixes)
    told = settings(choices).options()
    results: list[dict[str, list[tuple[Any, ...]]]] = []
    for number in range(VARIANTS):
        given = shuffle.sample(lines, len(lines))
        if number:
            given += shuffle.choices(lines, k=shuffle.randint(0, len(lines)))
            shuffle.shuffle(given)
        place = folder / f"variant {number}"
        place.mkdir()
        monkeypatch.chdir(place)  # so that `source`, the input as it was given, is the same
        spread(given, place / "events", shuffle)
        results.append(tables_of(place, folder, told))
    rule_made = {MEMBERSHIPS.name, MEMBERSHIP_CHANGES.name}  # some generated rules are never true
    assert all(results[0][table.name] for table in TABLES if table.name not in rule_made), "too little was tried"
    for result in results[1:]:
        for table in TABLES:
            assert result[table.name] == results[0][table.name], table.name


def tables_of(place: Path, rules: Path, told: list[str]) -> dict[str, list[tuple[Any, ...]]]:
    database = place / "out.duckdb"
    definitions = [f"--segments={rules / 'segments'}", f"--traits={rules / 'traits'}"]
    ran = run_command(database, "--input=events", *definitions, f"--output=duckdb:{database}", *told)
    assert ran.status == 0, ran.err
    return read_bytes(database)
