"""Compares both evaluators with the reference on seeded cases: `python -m tests.laws.fuzz --cases 5000 --seed 1`."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor

from tests.laws.agreement import describe, differs
from tests.laws.reduction import smallest
from tests.strategies.cases import Case, seeded_case

STEP = 200


def fails(case: Case) -> bool:
    """Whether the three differ, or one of them raises."""
    try:
        return differs(case)
    except Exception:  # noqa: BLE001 - a failure like another; the report shows it
        return True


def failing_seeds(first: int, last: int) -> list[int]:
    """The seeds of [first, last) whose cases fail."""
    return [seed for seed in range(first, last) if fails(seeded_case(seed))]


def report(seed: int) -> str:
    """The failing case of a seed, made small."""
    return f"--- seed {seed}\n{describe(smallest(seeded_case(seed), fails))}"


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 if any case differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000, help="how many cases to try")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; case n has seed + n")
    parser.add_argument("--jobs", type=int, default=1, help="worker processes")
    parser.add_argument("--show", type=int, default=1, help="how many mismatches to make small and print")
    parser.add_argument("--all", action="store_true", help="try all cases, do not stop at the first mismatches")
    options = parser.parse_args(arguments)
    starts = range(options.seed, options.seed + options.cases, STEP)
    ends = [min(start + STEP, options.seed + options.cases) for start in starts]
    failing: list[int] = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for seeds in pool.map(failing_seeds, starts, ends):
            failing += seeds
            if len(failing) >= options.show and not options.all:
                pool.shutdown(cancel_futures=True)
                break
    for seed in failing[: options.show]:
        print(report(seed))
    print(f"{len(failing)} of {options.cases} cases differ" + (f": seeds {failing[:20]}" if failing else ""))
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main())
