"""Events per second and peak memory of the whole job, beside others that do a part of it.

`python -m benchmarks.batch --events 1000000 --segments 10,100,1000` (`make bench`); docs/benchmarks.md says how to read
what it prints.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from benchmarks.definitions import write_segments
from benchmarks.measure import MEGABYTE, Measured, measure
from examples.generate import main as generate

SEED = 7
DEFAULT_FOLDER = Path("out/benchmarks")


class Contender(NamedTuple):
    """Something that is measured: in words, the module that it is, and its arguments."""

    name: str
    module: str
    arguments: list[str]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command. Returns its exit status."""
    arguments = _arguments(argv)
    folder: Path = arguments.folder
    events = generated(folder, arguments.events)
    size = events.stat().st_size
    print(f"{arguments.events:,} events, {size / MEGABYTE:,.0f} MB of NDJSON; {os.cpu_count()} cores, {machine()}")
    print()
    print(f"{'':<52}{'seconds':>9}{'events/s':>11}{'peak MB':>9}{'members':>10}")
    for contender in contenders(folder, events, arguments.segments):
        if arguments.only and not contender.name.startswith(arguments.only):
            continue
        measured = measure(contender.module, contender.arguments)
        rate = arguments.events / measured.seconds
        print(
            f"{contender.name:<52}{measured.seconds:>9.1f}{rate:>11,.0f}{measured.peak_bytes / MEGABYTE:>9,.0f}"
            f"{members(measured):>10}",
            flush=True,
        )
    return 0


def contenders(folder: Path, events: Path, segments: Sequence[int]) -> Iterator[Contender]:
    """Ours with each number of segments, then the others."""
    for count in segments:
        definitions = folder / f"segments-{count}"
        write_segments(definitions, count)
        output = folder / f"tables-{count}.duckdb"
        places = ["--input", str(events), "--output", f"duckdb:{output}", "--segments", str(definitions)]
        yield Contender(
            f"Tidemark, {count} segments, all tables", "pipelines.profiles", [*places, "--traits", "traits"]
        )
    yield Contender("Beam as one would write it, one rule", "benchmarks.idiomatic_beam", [str(events)])
    if find_spec("bytewax") is None:
        print("Bytewax has no wheel for this Python: left out")
    else:
        yield Contender("Bytewax 0.21, one worker, one rule", "benchmarks.bytewax_flow", [str(events)])
    yield Contender("DuckDB, one rule as SQL, no validation", "benchmarks.duckdb_rule", [str(events)])
    yield Contender("DuckDB, ten rules as SQL, current members only", "benchmarks.duckdb_rules", [str(events)])


def generated(folder: Path, count: int) -> Path:
    """The example shop's events in one file; made once."""
    place = folder / f"events-{count}"
    file = place / "events-00000-of-00001.ndjson"
    if not file.exists():
        making = folder / f"making-events-{count}"
        generate(["--events", str(count), "--seed", str(SEED), "--output", str(making)])
        making.rename(place)
    return file


def members(measured: Measured) -> str:
    """The members of the one rule, by what was printed."""
    for line in measured.output.splitlines():
        words = line.split()
        if words[:1] in (["members"], ["viewed_not_purchased"]) and len(words) > 1:
            return words[1]
    return ""


def machine() -> str:
    """Which Python on which processor."""
    return f"Python {platform.python_version()} on {platform.machine()}, {platform.system()}"


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000, help="how many events (default %(default)s)")
    parser.add_argument(
        "--segments",
        type=lambda text: [int(number) for number in text.split(",")],
        default=[10],
        help="how many segments, several numbers with commas between them (default 10)",
    )
    parser.add_argument("--only", metavar="NAME", help="only contenders whose name starts so")
    parser.add_argument(
        "--folder", type=Path, default=DEFAULT_FOLDER, help="where input and output go (default %(default)s)"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
