"""What skew and growth do to the stream's state, timers, lag and memory: `python -m benchmarks.growth`.

| case | what it is |
| --- | --- |
| even | visitors with ten events each: what the others are compared with |
| skew | half of all events are of one profile |
| wave | everybody's membership ends at the same instant |
| rules | 1,000 segments in place of ten |
| idle | everybody came once, longer ago than anything can still change; then time passes by days |
| crowd | the state holds many who came weeks ago and are not heard of again; a few others come all the time |
| few | the same with a thousandth of the many: what `crowd` is compared with |

Each is a process of its own, the stages of the stream without a runner (in_memory.py). Seconds are those of one core.
`--events` are those of `even`, `skew` and `rules`, `--profiles` those of `wave`, `idle` and `crowd`. The states that
`wave` and `crowd` begin with are made at once (crowd.py). docs/sizing.md says what the figures mean.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.batch import machine
from benchmarks.crowd import VISITORS_AT_ONCE, Stopwatch, fill, resident_mb
from benchmarks.definitions import ROOT, write_segments
from benchmarks.in_memory import InMemoryStream, SetClock
from benchmarks.measure import MEGABYTE, measure
from benchmarks.stateful import START_US, STEP_US, view
from pipelines.options.profiles import parse_profiles_options
from schemas.event import Failure
from transforms.deduplicate.copies import record_of
from transforms.profiles.evaluate import Rules
from transforms.profiles.history_cell import REFRESH
from transforms.records import Record
from transforms.state.facts import Message
from transforms.state.shelf_dofn import EVERYONE
from transforms.stream.find_changes import PARTS
from transforms.stream.settings import FixedRules, StreamSettings
from transforms.stream.stages import PROFILES

CASES = ("even", "skew", "wave", "rules", "idle", "crowd", "few")
BUNDLE = 1_000
EVENTS_EACH = 10
DAY_US = 86_400 * 1_000_000
LATENESS_DAYS = 30
HORIZON_DAYS = 2 * LATENESS_DAYS
WAVE_DAYS = 7
LIVE_VISITORS, LIVE_EVENTS, LIVE_BUNDLE = 1_000, 10_000, 10
Parse = Callable[[bytes], Record]
_WAVE = "when: >\n  event('Product Viewed').within(7 days).count() >= 1\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command. Returns its exit status."""
    arguments = _arguments(argv)
    if arguments.case:
        print(json.dumps(run(arguments)))
        return 0
    print(f"{machine()}, one process for each case; state in the runner, without the archive unless said")
    for case in arguments.cases:
        same = ["--events", str(arguments.events), "--profiles", str(arguments.profiles), "--case", case]
        measured = measure("benchmarks.growth", [*same, "--rules", str(arguments.rules), "--each", str(arguments.each)])
        found: dict[str, float] = json.loads(measured.output.splitlines()[-1])
        print(f"\n{case}")
        for name, value in {**found, "peak resident, MB": measured.peak_bytes / MEGABYTE}.items():
            print(f"  {name:<52}{value:>14,.{0 if value >= 100 or value == int(value) else 3}f}", flush=True)
    return 0


def run(arguments: argparse.Namespace) -> dict[str, float]:
    """One case, in this process."""
    segments = arguments.rules if arguments.case == "rules" else 10
    with tempfile.TemporaryDirectory() as folder:
        parse, stream = stream_of(Path(folder), segments, wave=arguments.case == "wave")
        return _RUNS[arguments.case](arguments, parse, stream)


def stream_of(
    folder: Path, segments: int, *, wave: bool = False, lateness_days: int = LATENESS_DAYS
) -> tuple[Parse, InMemoryStream]:
    """What parses a line, and a stream with so many rules."""
    definitions = folder / "segments"
    if wave:
        definitions.mkdir()
        (definitions / "viewers.yaml").write_text(_WAVE)
    else:
        write_segments(definitions, segments)
    given = ["--input", "watch:nothing/*.ndjson", "--segments", str(definitions), "--traits", str(ROOT / "traits")]
    options = parse_profiles_options([*given, "--output", f"duckdb:{folder}/none.duckdb"])
    parser = options.parser()

    def parse(line: bytes) -> Record:
        event = parser.parse(line, "benchmark", {})
        if isinstance(event, Failure):
            raise TypeError(event.reason)
        return record_of(event, line, "benchmark", {})

    rules = FixedRules(Rules(options.definitions))
    clock = SetClock(START_US)
    settings = StreamSettings(rules, clock, allowed_lateness_us=lateness_days * DAY_US)
    return parse, InMemoryStream(settings, clock)


# --- the cases -------------------------------------------------------------------------------------------------------


def _even(arguments: argparse.Namespace, parse: Parse, stream: InMemoryStream) -> dict[str, float]:
    visitors = max(1, arguments.events // EVENTS_EACH)
    return _flow(parse, stream, arguments.events, lambda number: f"v{number % visitors}")


def _skew(arguments: argparse.Namespace, parse: Parse, stream: InMemoryStream) -> dict[str, float]:
    visitors = max(1, arguments.events // EVENTS_EACH)
    return _flow(parse, stream, arguments.events, lambda number: "hot" if number % 2 else f"v{number // 2 % visitors}")


def _flow(parse: Parse, stream: InMemoryStream, events: int, visitor: Callable[[int], str]) -> dict[str, float]:
    """Events at their rate; the watermark follows them."""
    seconds = list[float]()
    for bundle in _bundles(parse, events, visitor):
        at_us = bundle[0][1]
        started = time.process_time()
        stream.take(bundle, at_us)
        stream.advance(at_us - 10_000_000)
        seconds.append(time.process_time() - started)
    tenth = max(1, len(seconds) // 10)
    cells = {key: len(shelf.cell(key).pack()) for _, shelf in stream.cells(PROFILES) for key in shelf}
    sizes = sorted(cells.values())
    by_shelf = sorted(stream.state_bytes(PROFILES).values())
    return {
        "events": events,
        "profiles": len(sizes),
        "microseconds an event, first tenth": sum(seconds[:tenth]) / tenth / BUNDLE * 1e6,
        "microseconds an event, last tenth": sum(seconds[-tenth:]) / tenth / BUNDLE * 1e6,
        "longest bundle of a stage, s": stream.longest_seconds,
        "state, bytes an event": sum(stream.state_bytes().values()) / events,
        "a profile's cell, median bytes": sizes[len(sizes) // 2],
        "the largest cell, bytes": sizes[-1],
        "a shelf of profiles, median bytes": by_shelf[len(by_shelf) // 2],
        "the largest shelf of profiles, bytes": by_shelf[-1],
        "timers at the runner": stream.timers(),
        "timers fired": stream.fired,
        "rows an event": stream.count_rows() / events,
        "bytes of a row, packed": stream.row_bytes / max(1, stream.rows),
    }


def _wave(arguments: argparse.Namespace, parse: Parse, stream: InMemoryStream) -> dict[str, float]:
    """All at one instant: in, and seven days later out."""
    count = arguments.profiles
    fill(stream, _bundles(parse, count, lambda number: f"v{number}", 0, VISITORS_AT_ONCE), None)
    empty = resident_mb()
    stream.wake(START_US)
    timers, resident = stream.timers(), resident_mb()
    stream.longest_seconds = 0.0
    started = time.process_time()
    stream.advance(START_US + WAVE_DAYS * DAY_US)
    left = time.process_time() - started
    return {
        "profiles": count,
        "timers at the runner before": timers,
        "lag: from the instant to the last row, s": left,
        "to leave, microseconds a profile": left / count * 1e6,
        "longest call: one shelf of 64, s": stream.longest_seconds,
        "rows told by the wave, a profile": stream.count_rows() / count,
        "state, bytes a profile": sum(stream.state_bytes().values()) / count,
        "resident before a shelf was read, MB": empty,
        "resident before the wave, MB": resident,
        "resident after the wave, MB": resident_mb(),
    }


def _idle(arguments: argparse.Namespace, parse: Parse, stream: InMemoryStream) -> dict[str, float]:
    """One event each, in a day; then two horizons pass."""
    count = arguments.profiles
    step_us = max(1, DAY_US // count)
    for bundle in _bundles(parse, count, lambda number: f"v{number}", step_us=step_us):
        stream.take(bundle, bundle[0][1])
        stream.advance(bundle[0][1] - 10_000_000)
    fresh, fired = sum(stream.state_bytes().values()), stream.fired
    seconds = list[float]()
    for day in range(1, 2 * HORIZON_DAYS):
        started = time.process_time()
        stream.advance(START_US + DAY_US + day * DAY_US)
        seconds.append(time.process_time() - started)
    stream.count_rows()
    return {
        "profiles": count,
        "state after their event, bytes a profile": fresh / count,
        f"state {2 * HORIZON_DAYS} days later, bytes a profile": sum(stream.state_bytes().values()) / count,
        "archive, bytes a profile": stream.archive_bytes() / count,
        "timers at the runner": stream.timers(),
        "timers fired in these days": stream.fired - fired,
        "the dearest day, s": max(seconds),
        "the last ten days, s a day": sum(seconds[-10:]) / 10,
    }


def _crowd(arguments: argparse.Namespace, parse: Parse, stream: InMemoryStream) -> dict[str, float]:
    """Some events each, all in a day; when their message ids are forgotten, others come."""
    count = max(1, arguments.profiles // (1 if arguments.case == "crowd" else 1_000))
    at_us = START_US + 2 * LATENESS_DAYS * DAY_US
    each: int = arguments.each
    once = _bundles(parse, each * count, lambda number: f"v{number // each}", 20_000, each * VISITORS_AT_ONCE)
    fill(stream, once, at_us)
    state, empty = sum(stream.state_bytes().values()), resident_mb()
    reading, live, whole, turn, anew = (Stopwatch() for _ in range(5))
    with reading:
        stream.wake(at_us)
    held, longest_reading = resident_mb(), stream.longest_seconds
    stream.longest_seconds = 0.0
    first = at_us // STEP_US - START_US // STEP_US
    for start in range(first, first + LIVE_EVENTS, LIVE_BUNDLE):
        numbers = range(start, start + LIVE_BUNDLE)
        bundle = [parse(view(number, f"live {number % LIVE_VISITORS}")) for number in numbers]
        with live:
            stream.take(bundle, bundle[0][1])
            stream.advance(bundle[0][1] - 10_000_000)
    longest_live, later = stream.longest_seconds, resident_mb()
    for _, shelf in stream.cells(PROFILES):
        with whole:
            shelf.whole()
    for part in range(PARTS):
        with turn:
            stream.tell(PROFILES, "0", [Message("", EVERYONE, (*REFRESH, part))], at_us + DAY_US)
    with anew:
        stream.tell(PROFILES, "1", [Message("", EVERYONE, REFRESH)], at_us + DAY_US)
    return {
        "idle profiles": count,
        "state, bytes a profile": state / count,
        "resident before a shelf was read, MB": empty,
        "to read all shelves, s": reading.seconds[0],
        "to read one shelf of 64, longest, s": longest_reading,
        "resident with all shelves read, bytes a profile": (held - empty) * MEGABYTE / count,
        "timers at the runner": stream.timers(),
        f"{LIVE_BUNDLE} live events through all stages, median, ms": live.milliseconds(0.5),
        f"{LIVE_BUNDLE} live events through all stages, p99, ms": live.milliseconds(0.99),
        "the longest bundle of a stage, ms": longest_live * 1_000,
        "resident after the live events, MB": later,
        "to rewrite the log of a shelf of profiles, ms": whole.milliseconds(0.5),
        f"the daily evaluation: one of {64 * PARTS:,} turns, p99, ms": turn.milliseconds(0.99),
        "new rules: a shelf of 64 evaluated, s": anew.seconds[0],
    }


_RUNS = {"even": _even, "skew": _skew, "wave": _wave, "rules": _even, "idle": _idle, "crowd": _crowd, "few": _crowd}


def _bundles(
    parse: Parse, events: int, visitor: Callable[[int], str], step_us: int = STEP_US, size: int = BUNDLE
) -> Iterator[list[Record]]:
    """Product views and orders, parsed, in bundles; each `step_us` after the one before."""
    for start in range(0, events, size):
        numbers = range(start, min(start + size, events))
        lines = (view(number, visitor(number), step_us) for number in numbers)
        yield [parse(line) for line in lines]


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=50_000, help="of the cases with events (default %(default)s)")
    parser.add_argument("--profiles", type=int, default=50_000, help="of wave, idle and crowd (default %(default)s)")
    parser.add_argument("--each", type=int, default=3, help="events of each idle profile (default %(default)s)")
    parser.add_argument("--rules", type=int, default=1_000, help="of the case rules (default %(default)s)")
    parser.add_argument("--cases", nargs="*", choices=CASES, default=CASES, help="only these")
    parser.add_argument("--case", choices=CASES, help="one of them, in this process; prints JSON")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
