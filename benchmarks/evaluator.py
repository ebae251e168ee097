"""The evaluator by itself: microseconds of CPU per event, on columns and through the stream's engine.

`python -m benchmarks.evaluator --events FILE --segments DIR [--traits DIR] [--buckets N] [--replay] [--profile]`

Events are parsed, given to their profiles and made into columns before the clock starts. `--replay` compares everything
that both say.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from schemas.event import Event
from schemas.tracking_plan import load_tracking_plan
from transforms.deduplicate.copies import deduplicate
from transforms.parse import EventParser
from transforms.segments.compiler import compile_program
from transforms.segments.history import Evaluated, Histories, compile_history, evaluate, histories_of
from transforms.segments.history.stepwise import evaluate_stepwise
from transforms.segments.language import ast
from transforms.segments.language.definitions import load_definitions
from transforms.whole import parse_lines

Profiles = dict[str, list[Event]]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command. Exit status 1 if the two differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=Path, required=True, help="one file of events, a line each")
    parser.add_argument("--segments", type=Path, required=True)
    parser.add_argument("--traits", type=Path, default=Path("traits"))
    parser.add_argument("--buckets", type=int, default=1, help="profiles are evaluated in so many parts")
    parser.add_argument("--replay", action="store_true", help="the stream's engine too, and whether both agree")
    parser.add_argument("--profile", action="store_true", help="where the time goes")
    arguments = parser.parse_args(argv)
    definitions = load_definitions(arguments.segments, arguments.traits).definitions
    buckets, as_of = read_buckets(arguments.events, arguments.buckets)
    events = sum(len(bucket.profile) for bucket in buckets)
    print(f"{events:,} events of {sum(len(bucket.profile_ids) for bucket in buckets):,} profiles")
    return 0 if _measured(definitions, buckets, as_of, events, arguments) else 1


def _measured(
    definitions: ast.Definitions, buckets: list[Histories], as_of: int, events: int, arguments: argparse.Namespace
) -> bool:
    begun = time.process_time()
    program = compile_history(definitions)
    print(f"compiled {len(definitions.segments)} segments in {time.process_time() - begun:.2f} s")
    profiler = cProfile.Profile()
    if arguments.profile:
        profiler.enable()
    begun = time.process_time()
    found = [evaluate(program, bucket, as_of) for bucket in buckets]
    spent = time.process_time() - begun
    profiler.disable()
    stays = sum(len(one.segment) for one in found)
    print(f"columns: {spent * 1e6 / events:.2f} us per event, {stays:,} stays")
    if arguments.profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
    if not arguments.replay:
        return True
    begun = time.process_time()
    expected = [evaluate_stepwise(compile_program(definitions), bucket, as_of) for bucket in buckets]
    print(f"replay: {(time.process_time() - begun) * 1e6 / events:.2f} us per event, its rows as columns included")
    equal = all(map(same, found, expected))
    print("both agree" if equal else "THEY DIFFER")
    return equal


def same(one: Evaluated, other: Evaluated) -> bool:
    """Whether two results are equal, column by column."""
    columns = all(np.array_equal(*pair) for pair in zip(_columns(one), _columns(other), strict=True))
    ragged = all(
        np.array_equal(left.offsets, right.offsets) and np.array_equal(left.numbers, right.numbers)
        for left, right in zip(one[7:9], other[7:9], strict=True)
    )
    return columns and ragged and one[9:] == other[9:]


def _columns(found: Evaluated) -> list[np.ndarray[Any, Any]]:
    return [column for column in found if isinstance(column, np.ndarray)]


def read_buckets(path: Path, count: int) -> tuple[list[Histories], int]:
    """The events of a file by profile, in buckets, and the instant of the latest. Devices belong to their last user."""
    parsed = parse_lines(path.open("rb"), EventParser(load_tracking_plan()), "events")
    events = [Event(*record[: len(Event._fields)]) for record in deduplicate(parsed.records, set()).records]
    events.sort(key=lambda event: (event.timestamp, event.message_id))
    users = {event.anonymous_id: event.user_id for event in events if event.anonymous_id and event.user_id}
    buckets: list[Profiles] = [defaultdict(list) for _ in range(count)]
    for event in events:
        user = event.user_id or users.get(event.anonymous_id or "")
        profile_id = f"user:{user}" if user else f"anon:{event.anonymous_id}"
        buckets[zlib.crc32(profile_id.encode()) % count][profile_id].append(event)
    as_of = events[-1].timestamp
    return [histories_of(bucket, as_of) for bucket in buckets], as_of


if __name__ == "__main__":
    sys.exit(main())
