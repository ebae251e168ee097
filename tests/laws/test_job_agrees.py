"""The whole job, files in and tables out, agrees with the reference in every table, on many small worlds at once.

TIDEMARK_CASES sets how many runs are tried; each has WORLDS worlds and rules of its own.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.jobs.expected import comparable, expected_tables
from tests.jobs.job import Row, Tables, run_job, write_lines
from tests.jobs.worlds import USERS, settings, world, write_rules
from tests.reference.values import same
from tests.strategies.choices import seeded
from transforms.segments.language.definitions import load_definitions

RUNS = int(os.environ.get("TIDEMARK_CASES", "4"))
LONG_RUNS = int(os.environ.get("TIDEMARK_CASES", "150"))
WORLDS = 45


@pytest.mark.parametrize("seed", range(RUNS))
def test_the_tables_are_those_of_the_reference(seed: int, tmp_path: Path) -> None:
    check(seed, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1000 + LONG_RUNS))
def test_the_tables_are_those_of_the_reference_in_many_runs(seed: int, tmp_path: Path) -> None:
    check(seed, tmp_path)


def check(seed: int, folder: Path) -> None:
    choices = seeded(seed)
    prefixes = [f"w{number:02}" for number in range(WORLDS)]
    worlds = {prefix: world(choices, prefix) for prefix in prefixes}
    lines = [line for found in worlds.values() for line in found]
    write_lines(folder / "events" / "events.ndjson", lines)
    write_rules(folder, choices, prefixes)
    told = settings(choices)
    ran = run_job(folder, f"--traits={folder / 'traits'}", *told.options())
    assert ran.status == 0, ran.err
    definitions = load_definitions(str(folder / "segments"), str(folder / "traits")).definitions
    differences = differing(expected_tables(lines, definitions, told), comparable(ran.tables()))
    assert not differences, describe(seed, differences, worlds, folder, told.options())


def differing(expected: Tables, actual: Tables) -> list[tuple[str, str, Row]]:
    """Rows that only one side has, each with its table and side."""
    found = []
    for name, rows in expected.items():
        if not same(rows, actual[name]):
            found += [(name, "expected", row) for row in rows if not any(same(row, one) for one in actual[name])]
            found += [(name, "found", row) for row in actual[name] if not any(same(row, one) for one in rows)]
    return found


def describe(
    seed: int, differences: list[tuple[str, str, Row]], worlds: dict[str, list[bytes]], folder: Path, told: list[str]
) -> str:
    """The differences of the first world that has any, with its lines and the rules."""
    text = str(differences[0][2])
    concerned = [prefix for prefix in worlds if any(name in text for name in _names(prefix))]
    lines = [f"seed {seed}, world {concerned[0]}, {len(differences)} rows differ, {' '.join(told)}"]
    lines += [file.read_text() for file in sorted(folder.glob("*/*.yaml"))]
    lines += sorted(line.decode(errors="replace") for line in worlds[concerned[0]])
    lines += [
        f"{table} {side}: {row}"
        for table, side, row in differences
        if any(name in str(row) for name in _names(concerned[0]))
    ]
    return "\n".join(lines)


def _names(prefix: str) -> list[str]:
    """What a row of this world holds: its prefix, or the hash of one of its users."""
    return [prefix, *(hashlib.sha256(f"{prefix}-{user}".encode()).hexdigest() for user in USERS)]
