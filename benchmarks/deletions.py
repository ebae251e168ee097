"""`python -m benchmarks.deletions`: erasures and refused aliases by ten thousands, twice as many each time.

A row each: how many, seconds, peak memory. Twice as many must take about twice as long.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.measure import MEGABYTE, measure

SIZES = (12_500, 25_000, 50_000)
_START = datetime(2026, 1, 1, tzinfo=UTC)
_DAYS = 30
Message = dict[str, Any]


def deletions(count: int) -> Iterator[Message]:
    """So many events of so many users, each of whom is erased at some time: before, between or after them."""
    chosen = random.Random(count)
    for number in range(count):
        user = f"u{chosen.randrange(count)}"
        properties = {"product_id": "p_001"}
        yield _message(f"e{number}", chosen, type="track", event="Product Viewed", userId=user, properties=properties)
        yield _message(f"d{number}", chosen, type="delete", userId=f"u{number}")


def refused_aliases(count: int) -> Iterator[Message]:
    """So many previous ids, each merged into one user and then into another: the second is a failed event."""
    chosen = random.Random(count)
    for number in range(count):
        for user in ("a", "b"):
            wire = {"type": "alias", "previousId": f"p{number}", "userId": f"{user}{number}"}
            yield _message(f"{user}{number}", chosen, **wire)


KINDS: dict[str, Callable[[int], Iterator[Message]]] = {
    "events and their users' deletions": deletions,
    "refused aliases": refused_aliases,
}


def _message(message_id: str, chosen: random.Random, **fields: Any) -> Message:
    at = _START + timedelta(seconds=chosen.randrange(_DAYS * 86_400))
    return {"messageId": message_id, "timestamp": at.isoformat(), **fields}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deletions", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="how many of each")
    parser.add_argument("--segments", default="segments", metavar="DIR")
    known = parser.parse_args(arguments)
    print(f"{'what':<34} {'of each':>9} {'seconds':>9} {'peak MB':>9}")
    with tempfile.TemporaryDirectory(prefix="tidemark-deletions-") as folder:
        events = Path(folder) / "events.ndjson"
        job = ["--input", str(events), "--segments", known.segments, "--output", f"duckdb:{folder}/out.duckdb"]
        for name, make in KINDS.items():
            for size in known.sizes:
                messages = list(make(size))
                random.Random(0).shuffle(messages)
                events.write_text("".join(json.dumps(message) + "\n" for message in messages))
                found = measure("pipelines.profiles", job)
                print(f"{name:<34} {size:>9,} {found.seconds:>9.1f} {found.peak_bytes / MEGABYTE:>9,.0f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
