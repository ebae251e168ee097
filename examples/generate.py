"""Makes the example shop's events: `python -m examples.generate --events 20000 --seed 7 --output DIR`.

A history is the same for the same arguments. Its messages are in the order in which they arrived, which is nearly, not
quite, that of their event times; files hold one stretch of time each. With --live, new files with the current time keep
coming until Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from examples.formats import FORMATS, damage_avro
from examples.history import make_history
from examples.shop_live.events import write_live

DEFAULT_EVENTS: Final = 20_000
DEFAULT_SEED: Final = 7
DEFAULT_DAYS: Final = 42
BROKEN: Final = 0.01

# What ships under examples/events: every format, and the share of the events in it. Avro and Parquet come first,
# because what they cannot hold (lines that are no JSON) goes to the file after them.
MIXED: Final = (("avro", 0.20), ("parquet", 0.20), ("ndjson.gz", 0.50), ("ndjson", 0.10))


def write_history(messages: Iterable[bytes], files: Sequence[tuple[Path, str, int]]) -> int:
    """Spreads messages over files.

    Args:
        messages: as many as the files hold together.
        files: path, format and number of messages of each. What a format cannot hold goes into the next file that can;
            what is left in the end into `left_over.ndjson` beside the last one.

    Returns:
        How many messages were written.
    """
    remaining, held_over, written = iter(messages), list[bytes](), 0
    for path, kind, size in files:
        file = FORMATS[kind](path)
        waiting, held_over = held_over, []
        for message in _chain(waiting, remaining, size):
            written += 1
            if not file.write(message):
                held_over.append(message)
                written -= 1
        file.close()
    if held_over:
        file = FORMATS["ndjson"](files[-1][0].parent / "left_over.ndjson")
        written += sum(map(file.write, held_over))
        file.close()
    return written


def _chain(first: list[bytes], then: Iterator[bytes], size: int) -> Iterator[bytes]:
    yield from first
    for _, message in zip(range(size), then, strict=False):
        yield message


def plan_files(output: Path, kind: str, events: int, shards: int) -> list[tuple[Path, str, int]]:
    """Path, format and number of messages of each file."""
    if kind == "mixed":
        sizes = [(suffix, round(events * share)) for suffix, share in MIXED]
        return [(output / f"events-{i + 1}.{suffix}", suffix, size) for i, (suffix, size) in enumerate(sizes)]
    bounds = [events * shard // shards for shard in range(shards + 1)]
    names = [f"events-{shard:05d}-of-{shards:05d}.{kind}" for shard in range(shards)]
    return [(output / name, kind, bounds[i + 1] - bounds[i]) for i, name in enumerate(names)]


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.generate", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--events", type=int, help=f"how many events (default {DEFAULT_EVENTS}; --live: no end)")
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, help="another seed, another shop (default %(default)s)"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder of the files; made if missing"
    )
    parser.add_argument("--format", choices=[*FORMATS, "mixed"], default="ndjson", help="mixed: a file of each format")
    parser.add_argument("--days", type=int, default=DEFAULT_DAYS, help="length of the history (default %(default)s)")
    parser.add_argument("--shards", type=int, default=1, help="how many files (default %(default)s)")
    parser.add_argument("--live", action="store_true", help="write new NDJSON files with the current time until Ctrl-C")
    parser.add_argument("--rate", type=float, default=50.0, help="of --live: events per second (default %(default)s)")
    arguments = parser.parse_args(argv)
    for name in ("events", "days", "shards", "rate"):
        value = getattr(arguments, name)
        if value is not None and value <= 0:
            parser.error(f"--{name} must be above 0, not {value}")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command. Returns its exit status."""
    arguments = _arguments(argv)
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    if arguments.live:
        try:
            written = write_live(output, arguments.seed, arguments.rate, arguments.events)
        except KeyboardInterrupt:
            return 0
    else:
        events = arguments.events or DEFAULT_EVENTS
        files = plan_files(output, arguments.format, events, arguments.shards)
        written = write_history(make_history(events, arguments.seed, arguments.days, BROKEN), files)
        if arguments.format == "mixed":
            damage_avro(files[0][0])
    print(f"{written} events in {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
