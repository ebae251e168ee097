"""Compares the columns with `replay` on seeded worlds, fast: `python -m tests.segments.history.fuzz --worlds 5000`."""

from __future__ import annotations

import argparse
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

from tests.segments.history.agreement import by_columns, by_replay, differences
from tests.segments.history.worlds import seeded_funnels, seeded_profiles
from tests.strategies import rule_text

STEP = 200
KINDS = {"all": seeded_profiles, "funnels": seeded_funnels}
"""What worlds are about."""


def failures(kind: str, first: int, last: int) -> list[tuple[int, str]]:
    """The seeds of [first, last) whose worlds fail, and how."""
    found = []
    for seed in range(first, last):
        told = failure(kind, seed)
        if told:
            found.append((seed, told))
    return found


def failure(kind: str, seed: int) -> str:
    """How the world of a seed fails; empty if it does not."""
    given = KINDS[kind](seed)
    try:
        return "\n".join(differences(by_replay(*given), by_columns(*given)))
    except Exception:  # noqa: BLE001 - a failure like another
        return traceback.format_exc()


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 if any world differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=1000, help="how many worlds to try")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; world n has seed + n")
    parser.add_argument("--kind", choices=sorted(KINDS), default="all", help="what worlds are about")
    parser.add_argument("--jobs", type=int, default=1, help="worker processes")
    options = parser.parse_args(arguments)
    starts = range(options.seed, options.seed + options.worlds, STEP)
    ends = [min(start + STEP, options.seed + options.worlds) for start in starts]
    with ProcessPoolExecutor(options.jobs) as pool:
        failing = [one for found in pool.map(failures, repeat(options.kind), starts, ends) for one in found]
    for seed, told in failing[:1]:
        profiles, definitions, as_of = KINDS[options.kind](seed)
        print(f"--- seed {seed}, as_of {as_of}\n{rule_text.definitions(definitions)}\n{told}")
        for profile_id, events in profiles.items():
            for event in events:
                print(profile_id, event.timestamp, event.message_id, event.type, event.name, *event[-3:])
    print(f"{len(failing)} of {options.worlds} worlds differ: {[seed for seed, _ in failing[:20]]}")
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main())
